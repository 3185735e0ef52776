create table if not exists preview_environments (
  id uuid primary key default gen_random_uuid(),
  application_id uuid not null references applications (id),
  operation_id uuid references operations (id),
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  branch text not null,
  pull_request integer,
  status text not null default 'queued' check (status in ('queued', 'building', 'deploying', 'running', 'failed', 'deleting', 'deleted')),
  url text,
  expires_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
