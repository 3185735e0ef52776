-- A variable gets the value of a secret of its application's team: of the whole team, or of this application alone. A
-- permission cannot promise that by itself, as somebody may be a developer in two teams.
-- The secret is locked, so that nobody deletes it at the same moment; the sentence is the same for one that is not there.
create or replace function northstack_variable_secret() returns trigger language plpgsql as $$
begin
  if new.deleted_at is not null or new.secret_id is null then
    return new;
  end if;
  if tg_op = 'UPDATE' and old.deleted_at is null and new.secret_id is not distinct from old.secret_id
     and new.application_id = old.application_id then
    return new;
  end if;
  perform 1 from secrets s
    join projects p on p.team_id = s.team_id
    join applications a on a.project_id = p.id
    where s.id = new.secret_id and a.id = new.application_id and s.deleted_at is null
      and (s.application_id is null or s.application_id = a.id)
    for key share of s;
  if not found then
    raise exception 'secret_id: the application and its team have no such secret'
      using errcode = 'check_violation', constraint = 'environment_variables_secret_id_team', table = tg_table_name;
  end if;
  return new;
end $$;
