create table if not exists stores (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references teams (id),
  store_id text not null check (store_id ~ '^store-[a-z0-9]{8}$'),
  name text not null check (length(btrim(name)) between 2 and 100),
  type text not null default 'woocommerce' check (type in ('woocommerce')),
  status text not null default 'provisioning' check (status in ('provisioning', 'ready', 'failed', 'deleting', 'deleted')),
  namespace text not null,
  url text not null,
  admin_url text,
  error text,
  requested_by uuid references users (id),
  ready_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
