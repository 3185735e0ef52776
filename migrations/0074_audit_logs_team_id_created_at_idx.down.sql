drop index if exists audit_logs_team_id_created_at_idx;
