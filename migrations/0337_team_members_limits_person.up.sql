-- Teams that a person belongs to and invitations that wait are counted apart: others decide how many invitations somebody
-- gets, and must not keep them from teams of their own. Neither counts in a team that was deleted, where nobody can
-- leave or decline. They fire after team_members_member, which says whether a row is an invitation.
do $$ begin
  drop trigger if exists team_members_limit_user on team_members;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_most_teams' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_most_teams before insert on team_members for each row when (new.active)
      execute procedure northstack_row_limit(
        'user.memberships', 'users', '($1).user_id',
        'select count(*) from team_members m join teams t on t.id = m.team_id
         where m.user_id = $2 and m.active and m.deleted_at is null and t.deleted_at is null',
        'user_id', 'this person belongs to # teams, which is the limit');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_most_invitations' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_most_invitations before insert on team_members for each row when (not new.active)
      execute procedure northstack_row_limit(
        'user.invitations', 'users', '($1).user_id',
        'select count(*) from team_members m join teams t on t.id = m.team_id
         where m.user_id = $2 and not m.active and m.deleted_at is null and t.deleted_at is null',
        'user_id', 'this person has # invitations that wait for an answer, which is the limit');
  end if;
end $$;
