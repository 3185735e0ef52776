alter table teams
  drop constraint if exists teams_settings_bound;
