-- The role of the person who acts in the team of a row; null where they may not see it, or it is not there or deleted.
-- Whoever has made a team in which there was never anybody else is its owner.
create or replace function northstack_acting_role(p_table text, p_id uuid) returns text language sql stable as $$
  select coalesce(
    (select m.role from team_members m where m.team_id = t.id and m.user_id = u.id and m.active and m.deleted_at is null),
    case when t.created_by = u.id and not exists (select 1 from team_members m where m.team_id = t.id and m.user_id <> u.id)
      then 'owner' end)
  from teams t join users u on u.id = northstack_acting_user()
  where t.deleted_at is null and u.deleted_at is null and t.id = case p_table
    when 'teams' then p_id
    when 'projects' then (select p.team_id from projects p where p.id = p_id and p.deleted_at is null)
    when 'applications' then (
      select p.team_id from applications a join projects p on p.id = a.project_id
      where a.id = p_id and a.deleted_at is null and p.deleted_at is null)
  end
$$;
