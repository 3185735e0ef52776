create unique index if not exists team_members_team_id_user_id_key on team_members (team_id, user_id) where deleted_at is null;
