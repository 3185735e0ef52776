alter table users
  drop constraint if exists users_avatar_url_bound;
