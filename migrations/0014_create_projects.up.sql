create table if not exists projects (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references teams (id),
  name text not null check (length(btrim(name)) between 1 and 100),
  description text not null default '',
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
