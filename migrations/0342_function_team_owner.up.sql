-- Whoever makes a team is its owner at once: nobody would see it otherwise, and it would count among theirs all the same.
create or replace function northstack_team_owner() returns trigger language plpgsql as $$
declare
  v_user uuid := northstack_acting_user();
begin
  if new.created_by = v_user then
    insert into team_members (team_id, user_id, role) values (new.id, v_user, 'owner');
  end if;
  return null;
end $$;
