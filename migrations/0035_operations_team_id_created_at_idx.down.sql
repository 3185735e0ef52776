drop index if exists operations_team_id_created_at_idx;
