-- Keys that stand for an answer cannot be told without the column.
do $$ begin
  delete from idempotency_keys where operation_id is null;
  alter table idempotency_keys
    drop constraint if exists idempotency_keys_one_meaning,
    drop column if exists answer,
    alter column operation_id set not null;
end $$;
