create table if not exists idempotency_keys (
  user_id uuid not null references users (id),
  key text not null check (length(key) between 1 and 200),
  digest text not null,
  operation_id uuid not null references operations (id),
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);
