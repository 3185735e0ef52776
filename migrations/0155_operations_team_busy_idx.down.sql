drop index if exists operations_team_busy_idx;
