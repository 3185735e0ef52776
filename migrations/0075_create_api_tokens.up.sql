create table if not exists api_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references users (id),
  team_id uuid references teams (id),
  name text not null check (length(btrim(name)) between 1 and 100),
  token_prefix text not null,
  token_hash bytea not null,
  scopes text[] not null default '{}',
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
