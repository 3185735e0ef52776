create or replace function northstack_audit_signal() returns trigger language plpgsql as $$
declare
  v_session jsonb := coalesce(nullif(current_setting('hasura.user', true), ''), '{}')::jsonb;
  v_operation operations;
begin
  if coalesce(v_session ->> 'x-hasura-role', 'system') <> 'system' then
    select * into v_operation from operations where id = new.operation_id;
    perform northstack_audit_append(
      v_operation.team_id,
      case when new.name like 'promote%' and v_session ? 'x-hasura-user-id' then 'promote' else 'signal' end,
      'operations', new.operation_id, null, null, jsonb_build_object(
        'name', new.name, 'kind', v_operation.kind, 'subject_type', v_operation.subject_type,
        'subject_id', v_operation.subject_id));
  end if;
  return null;
end $$;
