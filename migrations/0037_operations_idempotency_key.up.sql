create unique index if not exists operations_idempotency_key on operations (requested_by, idempotency_key) where idempotency_key is not null;
