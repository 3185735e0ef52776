do $$ begin
  drop trigger if exists team_members_most_teams on team_members;
  drop trigger if exists team_members_most_invitations on team_members;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_limit_user' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_limit_user before insert on team_members for each row execute procedure northstack_row_limit(
      'user.memberships', 'users', '($1).user_id',
      'select count(*) from team_members where user_id = $2 and deleted_at is null',
      'user_id', 'this person belongs to # teams, invitations among them, which is the limit');
  end if;
end $$;
