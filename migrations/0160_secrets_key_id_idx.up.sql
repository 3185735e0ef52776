create index if not exists secrets_key_id_idx on secrets (key_id, id) where deleted_at is null;
