create table if not exists oauth_identities (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references users (id),
  provider text not null,
  subject text not null,
  email text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
