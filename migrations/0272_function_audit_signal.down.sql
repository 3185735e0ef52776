drop function if exists northstack_audit_signal();
