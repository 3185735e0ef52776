create or replace function northstack_audit_append(
  p_team uuid, p_action text, p_resource_type text, p_resource_id uuid, p_before jsonb, p_after jsonb, p_details jsonb
) returns uuid language plpgsql as $$
declare
  v_session jsonb := coalesce(nullif(current_setting('hasura.user', true), ''), '{}')::jsonb;
  v_chain uuid := coalesce(p_team, '00000000-0000-0000-0000-000000000000');
  v_row audit_logs;
  v_head audit_chains;
begin
  insert into audit_chains (id) values (v_chain) on conflict (id) do nothing;
  select * into v_head from audit_chains where id = v_chain for update;
  v_row.id := gen_random_uuid();
  v_row.chain_id := v_chain;
  v_row.chain_position := v_head.length + 1;
  v_row.team_id := p_team;
  v_row.actor_id := nullif(v_session ->> 'x-hasura-user-id', '')::uuid;
  v_row.actor_role := coalesce(v_session ->> 'x-hasura-role', 'system');
  v_row.action := p_action;
  v_row.resource_type := p_resource_type;
  v_row.resource_id := p_resource_id;
  v_row.before := p_before;
  v_row.after := p_after;
  v_row.details := coalesce(p_details, '{}');
  v_row.correlation_id := coalesce(v_session ->> 'x-hasura-correlation-id', nullif(current_setting('northstack.correlation_id', true), ''));
  v_row.previous_hash := v_head.head;
  v_row.created_at := clock_timestamp();
  v_row.updated_at := v_row.created_at;
  v_row.hash := northstack_audit_hash(v_row);
  insert into audit_logs select v_row.*;
  update audit_chains set length = v_row.chain_position, head = v_row.hash where id = v_chain;
  return v_row.id;
end $$;
