-- An application is for a cluster of its project's team.
create or replace function northstack_application_cluster() returns trigger language plpgsql as $$
begin
  if new.deleted_at is not null or new.cluster_id is null then
    return new;
  end if;
  if tg_op = 'UPDATE' and old.deleted_at is null and new.cluster_id is not distinct from old.cluster_id
     and new.project_id = old.project_id then
    return new;
  end if;
  perform 1 from clusters c join projects p on p.team_id = c.team_id
    where c.id = new.cluster_id and p.id = new.project_id and c.deleted_at is null
    for key share of c;
  if not found then
    raise exception 'cluster_id: the project''s team has no such cluster'
      using errcode = 'check_violation', constraint = 'applications_cluster_id_team', table = tg_table_name;
  end if;
  return new;
end $$;
