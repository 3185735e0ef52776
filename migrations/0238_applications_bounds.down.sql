alter table applications
  drop constraint if exists applications_repository_bound,
  drop constraint if exists applications_branch_bound,
  drop constraint if exists applications_image_bound,
  drop constraint if exists applications_resources_bound,
  drop constraint if exists applications_settings_bound,
  drop constraint if exists applications_replicas_bound;
