create table if not exists operation_signals (
  operation_id uuid not null references operations (id),
  name text not null check (length(name) between 1 and 100),
  payload jsonb not null default 'null',
  sent_by uuid references users (id),
  created_at timestamptz not null default now(),
  primary key (operation_id, name)
);
