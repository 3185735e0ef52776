-- Rows from before are left as they are until they are written anew.
alter table preview_environments
  drop constraint if exists preview_environments_expires_at_bound,
  add constraint preview_environments_expires_at_bound check (expires_at between created_at - interval '1 day' and created_at + interval '91 days') not valid,
  drop constraint if exists preview_environments_branch_bound,
  add constraint preview_environments_branch_bound check (
    length(branch) between 1 and 255 and branch !~ '[[:space:][:cntrl:]~^:?*\[\\]|[.][.]|//|@[{]|^[-/.]|[/.]$') not valid,
  drop constraint if exists preview_environments_pull_request_bound,
  add constraint preview_environments_pull_request_bound check (pull_request >= 1) not valid;
