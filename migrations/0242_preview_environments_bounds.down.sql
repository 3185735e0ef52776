alter table preview_environments
  drop constraint if exists preview_environments_expires_at_bound,
  drop constraint if exists preview_environments_branch_bound,
  drop constraint if exists preview_environments_pull_request_bound;
