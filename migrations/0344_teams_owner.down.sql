do $$ begin
  drop trigger if exists teams_owner on teams;
  drop trigger if exists team_members_already on team_members;
end $$;
