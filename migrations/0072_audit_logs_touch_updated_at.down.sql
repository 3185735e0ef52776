drop trigger if exists audit_logs_touch_updated_at on audit_logs;
