drop index if exists projects_team_id_name_key;
