do $$ begin
  drop trigger if exists applications_parent_lives on applications;
  drop trigger if exists projects_parent_lives on projects;
  drop trigger if exists team_members_parent_lives on team_members;
  drop trigger if exists teams_parent_lives on teams;
  drop trigger if exists secrets_parent_lives on secrets;
  drop trigger if exists environment_variables_parent_lives on environment_variables;
  drop trigger if exists stores_parent_lives on stores;
  drop trigger if exists clusters_parent_lives on clusters;
  drop trigger if exists databases_parent_lives on databases;
  drop trigger if exists preview_environments_parent_lives on preview_environments;
end $$;
