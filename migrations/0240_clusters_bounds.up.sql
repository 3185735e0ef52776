-- Rows from before are left as they are until they are written anew.
alter table clusters
  drop constraint if exists clusters_region_bound,
  add constraint clusters_region_bound check (length(region) <= 100) not valid,
  drop constraint if exists clusters_settings_bound,
  add constraint clusters_settings_bound check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 16384) not valid;
