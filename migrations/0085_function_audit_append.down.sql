drop function if exists northstack_audit_append(uuid, text, text, uuid, jsonb, jsonb, jsonb);
