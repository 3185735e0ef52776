-- A secret of one application is of that application's team, for good: its value is sealed for that place.
create or replace function northstack_secret_place() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (new.team_id, new.application_id) is distinct from (old.team_id, old.application_id) then
    raise exception 'team_id: a secret stays where it was made'
      using errcode = 'check_violation', constraint = 'secrets_team_id_stays', table = tg_table_name;
  end if;
  if tg_op = 'INSERT' and new.application_id is not null then
    perform 1 from applications a join projects p on p.id = a.project_id
      where a.id = new.application_id and p.team_id = new.team_id;
    if not found then
      raise exception 'application_id: the team has no such application'
        using errcode = 'check_violation', constraint = 'secrets_application_id_team', table = tg_table_name;
    end if;
  end if;
  return new;
end $$;
