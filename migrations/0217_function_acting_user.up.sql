-- The person who acts in a session with the role `user`; null for the platform and its administrators.
create or replace function northstack_acting_user() returns uuid language sql stable as $$
  select case when s ->> 'x-hasura-role' = 'user' then nullif(s ->> 'x-hasura-user-id', '')::uuid end
  from (select coalesce(nullif(current_setting('hasura.user', true), ''), '{}')::jsonb) as session (s)
$$;
