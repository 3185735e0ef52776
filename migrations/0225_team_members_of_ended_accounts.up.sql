update team_members set active = false
where active and user_id in (select id from users where deleted_at is not null);
