create table if not exists webhook_deliveries (
  id uuid primary key default gen_random_uuid(),
  vendor text not null,
  delivery_id text not null,
  event text not null default '',
  digest bytea not null,
  status text not null default 'accepted' check (status in ('accepted', 'processed', 'failed', 'duplicate')),
  error text,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
