alter table projects
  drop constraint if exists projects_description_bound,
  drop constraint if exists projects_settings_bound;
