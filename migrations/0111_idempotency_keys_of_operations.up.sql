insert into idempotency_keys (user_id, key, digest, operation_id)
select requested_by, idempotency_key, coalesce(idempotency_digest, ''), id from operations
where requested_by is not null and idempotency_key is not null
on conflict (user_id, key) do nothing;
