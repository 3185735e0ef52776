create unique index if not exists clusters_team_id_name_key on clusters (team_id, name) where deleted_at is null;
