create table if not exists deployments (
  id uuid primary key default gen_random_uuid(),
  application_id uuid not null references applications (id),
  build_id uuid references builds (id),
  operation_id uuid references operations (id),
  revision integer not null check (revision >= 1),
  status text not null default 'queued' check (status in ('queued', 'building', 'deploying', 'paused', 'running', 'superseded', 'failed', 'rolled_back', 'cancelled')),
  strategy text not null default 'rolling' check (strategy in ('rolling', 'canary', 'blue_green', 'recreate')),
  image text,
  commit_sha text,
  progress jsonb not null default '{}',
  error text,
  requested_by uuid references users (id),
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
