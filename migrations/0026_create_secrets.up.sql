create table if not exists secrets (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references teams (id),
  application_id uuid references applications (id),
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,252}$'),
  version integer not null default 1 check (version >= 1),
  ciphertext bytea not null,
  nonce bytea not null,
  wrapped_key bytea not null,
  key_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
