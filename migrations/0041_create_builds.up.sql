create table if not exists builds (
  id uuid primary key default gen_random_uuid(),
  application_id uuid not null references applications (id),
  operation_id uuid references operations (id),
  status text not null default 'queued' check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  commit_sha text,
  branch text,
  image text,
  vendor text,
  vendor_reference text,
  error text,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
