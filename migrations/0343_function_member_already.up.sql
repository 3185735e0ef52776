-- A person who names themself the owner of a team that they own says nothing new: teams are made with their maker as a
-- member by those who do not know that it is one by itself.
create or replace function northstack_member_already() returns trigger language plpgsql as $$
begin
  if new.role = 'owner' and new.user_id = northstack_acting_user() and exists (
    select 1 from team_members m
    where m.team_id = new.team_id and m.user_id = new.user_id and m.role = 'owner' and m.active and m.deleted_at is null
  ) then
    return null;
  end if;
  return new;
end $$;
