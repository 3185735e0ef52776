drop trigger if exists audit_logs_immutable on audit_logs;
