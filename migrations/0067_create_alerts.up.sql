create table if not exists alerts (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references teams (id),
  severity text not null check (severity in ('info', 'warning', 'critical')),
  title text not null,
  detail text not null default '',
  subject_type text,
  subject_id uuid,
  acknowledged_at timestamptz,
  acknowledged_by uuid references users (id),
  resolved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
