-- Rows from before are left as they are until they are written anew.
alter table teams
  drop constraint if exists teams_settings_bound,
  add constraint teams_settings_bound check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 16384) not valid;
