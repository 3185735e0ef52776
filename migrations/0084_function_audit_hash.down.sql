drop function if exists northstack_audit_hash(audit_logs);
