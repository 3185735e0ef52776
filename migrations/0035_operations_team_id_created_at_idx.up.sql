create index if not exists operations_team_id_created_at_idx on operations (team_id, created_at desc);
