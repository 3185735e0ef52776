create unique index if not exists audit_logs_chain_id_position_key on audit_logs (chain_id, chain_position);
