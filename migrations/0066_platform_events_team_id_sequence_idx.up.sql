create index if not exists platform_events_team_id_sequence_idx on platform_events (team_id, sequence);
