drop index if exists idempotency_keys_created_at_idx;
