drop index if exists operations_idempotency_key;
