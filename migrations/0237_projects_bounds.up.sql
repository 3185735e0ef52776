-- Rows from before are left as they are until they are written anew.
alter table projects
  drop constraint if exists projects_description_bound,
  add constraint projects_description_bound check (length(description) <= 2000) not valid,
  drop constraint if exists projects_settings_bound,
  add constraint projects_settings_bound check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 16384) not valid;
