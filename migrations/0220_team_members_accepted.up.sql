-- Whoever is added by another is a member once they have accepted. `active` is what counts everywhere: accepted, and of
-- somebody whose account has not ended.
alter table team_members
  add column if not exists accepted_at timestamptz default now(),
  add column if not exists active boolean not null default true,
  add column if not exists team_name text;
