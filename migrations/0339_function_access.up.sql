-- Refuses a new row in what the person who acts may not see, in the words for what is not there: before any other rule
-- of the table says something that only holds for what is there. Permissions are judged once the row is written, which
-- is too late for that. Arguments: a column and the table that it leads to.
create or replace function northstack_access() returns trigger language plpgsql as $$
declare
  v_user uuid := northstack_acting_user();
  v_parent uuid := (to_jsonb(new) ->> tg_argv[0])::uuid;
  v_role text;
begin
  if v_user is null or v_parent is null then
    return new;
  end if;
  v_role := northstack_acting_role(tg_argv[1], v_parent);
  if v_role is null then
    raise exception '%', tg_argv[0] || ': there is no such ' || rtrim(tg_argv[1], 's')
      using errcode = 'check_violation', constraint = tg_table_name || '_' || tg_argv[0] || '_lives', table = tg_table_name;
  end if;
  -- Whoever invites may name anybody; to others, people whom they do not see are not there.
  if tg_table_name = 'team_members' and v_role not in ('owner', 'admin') then
    if new.user_id <> v_user and not exists (
      select 1 from team_members mine
        join team_members theirs on theirs.team_id = mine.team_id
        join teams t on t.id = mine.team_id
      where mine.user_id = v_user and mine.active and mine.deleted_at is null and t.deleted_at is null
        and theirs.user_id = new.user_id and theirs.active and theirs.deleted_at is null
    ) then
      raise exception 'user_id: there is no such user'
        using errcode = 'check_violation', constraint = 'team_members_user_id_lives', table = tg_table_name;
    end if;
  end if;
  return new;
end $$;
