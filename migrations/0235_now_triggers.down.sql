do $$ begin
  drop trigger if exists teams_now on teams;
  drop trigger if exists team_members_now on team_members;
  drop trigger if exists projects_now on projects;
  drop trigger if exists applications_now on applications;
  drop trigger if exists environment_variables_now on environment_variables;
end $$;
