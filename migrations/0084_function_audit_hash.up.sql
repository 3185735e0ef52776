create or replace function northstack_audit_hash(r audit_logs) returns bytea language sql stable as $$
  select sha256(r.previous_hash || convert_to(jsonb_build_array(
    r.id, r.chain_id, r.chain_position, r.team_id, r.actor_id, r.actor_role, r.action, r.resource_type,
    r.resource_id, r.before, r.after, r.details, r.correlation_id,
    to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
  )::text, 'UTF8'))
$$;
