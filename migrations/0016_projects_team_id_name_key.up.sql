create unique index if not exists projects_team_id_name_key on projects (team_id, name) where deleted_at is null;
