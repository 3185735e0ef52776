create table if not exists databases (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references projects (id),
  operation_id uuid references operations (id),
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  engine text not null check (engine in ('postgresql', 'mysql', 'redis')),
  version text not null default '',
  status text not null default 'provisioning' check (status in ('provisioning', 'ready', 'failed', 'deleting', 'deleted')),
  host text,
  port integer,
  vendor_reference text,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
