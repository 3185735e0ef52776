create index if not exists handled_events_created_at_idx on handled_events (created_at asc);
