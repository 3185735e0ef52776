create unique index if not exists stores_team_id_name_key on stores (team_id, name) where deleted_at is null;
