create table if not exists store_events (
  id uuid primary key default gen_random_uuid(),
  store_id uuid not null references stores (id),
  event_type text not null,
  message text not null,
  severity text not null default 'info' check (severity in ('info', 'warning', 'error')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
