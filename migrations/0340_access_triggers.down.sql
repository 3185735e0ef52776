do $$ begin
  drop trigger if exists applications_access on applications;
  drop trigger if exists projects_access on projects;
  drop trigger if exists team_members_access on team_members;
  drop trigger if exists environment_variables_access on environment_variables;
end $$;
