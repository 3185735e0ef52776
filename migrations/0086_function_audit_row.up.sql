create or replace function northstack_audit_row() returns trigger language plpgsql as $$
declare
  v_hidden constant text[] := array['password_hash', 'ciphertext', 'nonce', 'wrapped_key', 'token_hash', 'value'];
  v_before jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) - v_hidden end;
  v_after jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) - v_hidden end;
  v_any jsonb := coalesce(v_after, v_before);
  v_team uuid;
begin
  if tg_op = 'UPDATE' and (v_before - 'updated_at') = (v_after - 'updated_at')
     and to_jsonb(old) - 'updated_at' = to_jsonb(new) - 'updated_at' then
    return null;
  end if;
  v_team := case
    when tg_table_name = 'teams' then (v_any ->> 'id')::uuid
    when v_any ? 'team_id' then (v_any ->> 'team_id')::uuid
    when v_any ? 'project_id' then (select team_id from projects where id = (v_any ->> 'project_id')::uuid)
    when v_any ? 'cluster_id' then (select team_id from clusters where id = (v_any ->> 'cluster_id')::uuid)
    when v_any ? 'application_id' then (
      select p.team_id from applications a join projects p on p.id = a.project_id where a.id = (v_any ->> 'application_id')::uuid)
  end;
  perform northstack_audit_append(v_team, lower(tg_op), tg_table_name, (v_any ->> 'id')::uuid, v_before, v_after, '{}');
  return null;
end $$;
