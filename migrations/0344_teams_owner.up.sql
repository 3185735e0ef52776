do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'teams_owner' and tgrelid = 'teams'::regclass) then
    create trigger teams_owner after insert on teams for each row execute procedure northstack_team_owner();
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_already' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_already before insert on team_members for each row execute procedure northstack_member_already();
  end if;
end $$;
