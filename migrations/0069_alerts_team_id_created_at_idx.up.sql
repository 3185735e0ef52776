create index if not exists alerts_team_id_created_at_idx on alerts (team_id, created_at desc);
