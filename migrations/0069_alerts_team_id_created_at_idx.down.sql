drop index if exists alerts_team_id_created_at_idx;
