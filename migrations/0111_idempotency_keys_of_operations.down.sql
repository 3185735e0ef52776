delete from idempotency_keys
where operation_id in (select id from operations where idempotency_key is not null);
