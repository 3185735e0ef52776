-- A request that is done at once has an answer instead of an operation.
alter table idempotency_keys
  alter column operation_id drop not null,
  add column if not exists answer jsonb,
  drop constraint if exists idempotency_keys_one_meaning,
  add constraint idempotency_keys_one_meaning check ((operation_id is null) <> (answer is null));
