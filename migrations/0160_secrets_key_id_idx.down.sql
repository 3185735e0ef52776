drop index if exists secrets_key_id_idx;
