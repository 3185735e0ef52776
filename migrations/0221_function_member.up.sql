-- What holds for memberships whoever writes them: somebody else than the person themself only invites, nobody changes
-- their own role, and a team keeps an owner. The team is locked for the last of these, so that of two owners who go at
-- once one sees that the other has gone.
create or replace function northstack_member() returns trigger language plpgsql as $$
declare
  v_user uuid := northstack_acting_user();
begin
  if tg_op = 'INSERT' then
    if v_user is not null then
      new.accepted_at := case when new.user_id = v_user then now() end;
    end if;
    if new.accepted_at is null then
      new.team_name := (select name from teams where id = new.team_id);
    end if;
  elsif tg_op = 'UPDATE' and v_user is not null then
    if v_user = old.user_id and new.role <> old.role then
      raise exception 'role: nobody changes their own role'
        using errcode = 'check_violation', constraint = 'team_members_role_own', table = tg_table_name;
    end if;
    if new.accepted_at is distinct from old.accepted_at then
      if v_user <> old.user_id or old.accepted_at is not null then
        raise exception 'accepted_at: only the person who was invited accepts, and once'
          using errcode = 'check_violation', constraint = 'team_members_accepted_at_own', table = tg_table_name;
      end if;
      new.accepted_at := now();
    end if;
  end if;
  if tg_op <> 'INSERT' and old.role = 'owner' and old.deleted_at is null and old.accepted_at is not null
     and (tg_op = 'DELETE' or new.role <> 'owner' or new.deleted_at is not null) then
    perform 1 from teams where id = old.team_id and deleted_at is null for no key update;
    if found and not exists (
      select 1 from team_members
      where team_id = old.team_id and id <> old.id and role = 'owner' and active and deleted_at is null
    ) then
      raise exception 'role: a team needs an owner; make somebody else one first'
        using errcode = 'check_violation', constraint = 'team_members_role_last_owner', table = tg_table_name;
    end if;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  perform 1 from users where id = new.user_id and deleted_at is null for key share;
  new.active := found and new.accepted_at is not null;
  return new;
end $$;
