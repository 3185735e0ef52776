-- Rows from before are left as they are until they are written anew.
alter table applications
  drop constraint if exists applications_repository_bound,
  add constraint applications_repository_bound check (
    length(repository) <= 500
    and (repository ~ '^(https|ssh)://([A-Za-z0-9._~-]+@)?([A-Za-z0-9-]+[.])+[A-Za-z][A-Za-z0-9-]*(:[0-9]{1,5})?/[^[:space:][:cntrl:]]+$'
      or repository ~ '^git@([A-Za-z0-9-]+[.])+[A-Za-z][A-Za-z0-9-]*:[^-[:space:][:cntrl:]][^[:space:][:cntrl:]]*$')) not valid,
  drop constraint if exists applications_branch_bound,
  add constraint applications_branch_bound check (
    length(branch) between 1 and 255 and branch !~ '[[:space:][:cntrl:]~^:?*\[\\]|[.][.]|//|@[{]|^[-/.]|[/.]$') not valid,
  drop constraint if exists applications_image_bound,
  add constraint applications_image_bound check (length(image) <= 500 and image ~ '^[A-Za-z0-9][A-Za-z0-9._:/@-]*$') not valid,
  drop constraint if exists applications_resources_bound,
  add constraint applications_resources_bound check (jsonb_typeof(resources) = 'object' and octet_length(resources::text) <= 2000) not valid,
  drop constraint if exists applications_settings_bound,
  add constraint applications_settings_bound check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 65536) not valid,
  drop constraint if exists applications_replicas_bound,
  add constraint applications_replicas_bound check (replicas <= 100) not valid;
