create table if not exists cluster_nodes (
  id uuid primary key default gen_random_uuid(),
  cluster_id uuid not null references clusters (id),
  name text not null,
  role text not null default 'worker' check (role in ('control-plane', 'etcd', 'worker')),
  status text not null default 'provisioning' check (status in ('provisioning', 'ready', 'not_ready', 'cordoned', 'draining', 'failed', 'deleting', 'deleted')),
  address text,
  version text not null default '',
  cpu_millicores bigint,
  memory_bytes bigint,
  vendor_reference text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
