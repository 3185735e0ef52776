create or replace function northstack_audit_operation() returns trigger language plpgsql as $$
declare
  v_session jsonb := coalesce(nullif(current_setting('hasura.user', true), ''), '{}')::jsonb;
  v_action text := case
    when tg_op = 'INSERT' then 'request'
    when old.status = 'failed' and new.status = 'queued' and new.direction = 'undo' and old.direction = 'forward' then 'discard'
    when old.status = 'failed' and new.status = 'queued' then 'retry'
    when old.cancel_requested_at is null and new.cancel_requested_at is not null then 'cancel'
  end;
begin
  -- What workers do of themselves is no act.
  if v_action is not null and coalesce(v_session ->> 'x-hasura-role', 'system') <> 'system' then
    perform northstack_audit_append(new.team_id, v_action, 'operations', new.id, null, null, jsonb_build_object(
      'kind', new.kind, 'subject_type', new.subject_type, 'subject_id', new.subject_id));
  end if;
  return null;
end $$;
