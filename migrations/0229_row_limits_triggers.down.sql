do $$ begin
  drop trigger if exists projects_limit_team on projects;
  drop trigger if exists applications_limit_team on applications;
  drop trigger if exists secrets_limit_team on secrets;
  drop trigger if exists preview_environments_limit_team on preview_environments;
  drop trigger if exists environment_variables_limit_application on environment_variables;
  drop trigger if exists team_members_limit_team on team_members;
  drop trigger if exists team_members_limit_user on team_members;
  drop trigger if exists teams_limit_user on teams;
end $$;
