-- When an account ends or is given back, its memberships follow at once. Whoever is just becoming a member is waited for.
create or replace function northstack_user_ends() returns trigger language plpgsql as $$
begin
  if (new.deleted_at is null) <> (old.deleted_at is null) then
    perform 1 from users where id = new.id for update;
    update team_members set active = active where user_id = new.id and deleted_at is null;
  end if;
  return null;
end $$;
