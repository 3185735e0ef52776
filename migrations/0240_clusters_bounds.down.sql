alter table clusters
  drop constraint if exists clusters_region_bound,
  drop constraint if exists clusters_settings_bound;
