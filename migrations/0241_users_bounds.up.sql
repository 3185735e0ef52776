-- Rows from before are left as they are until they are written anew.
alter table users
  drop constraint if exists users_avatar_url_bound,
  add constraint users_avatar_url_bound check (length(avatar_url) <= 2000 and avatar_url ~ '^https?://[^[:space:]]+$') not valid;
