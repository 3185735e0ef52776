drop index if exists stores_team_id_name_key;
