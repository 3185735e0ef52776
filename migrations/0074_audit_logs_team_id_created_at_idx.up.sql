create index if not exists audit_logs_team_id_created_at_idx on audit_logs (team_id, created_at desc);
