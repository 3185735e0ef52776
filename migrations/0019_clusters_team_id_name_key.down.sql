drop index if exists clusters_team_id_name_key;
