create index if not exists idempotency_keys_created_at_idx on idempotency_keys (created_at);
