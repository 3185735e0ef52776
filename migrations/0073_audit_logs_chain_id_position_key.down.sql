drop index if exists audit_logs_chain_id_position_key;
