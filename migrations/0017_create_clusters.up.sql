create table if not exists clusters (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references teams (id),
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  provider text not null check (provider in ('rancher', 'rke2', 'imported', 'simulated')),
  version text not null default '',
  status text not null default 'provisioning' check (status in ('provisioning', 'importing', 'ready', 'degraded', 'upgrading', 'failed', 'deleting', 'deleted')),
  node_count integer not null default 0 check (node_count >= 0),
  region text not null default '',
  endpoint text,
  vendor_reference text,
  error text,
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
