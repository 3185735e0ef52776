drop index if exists handled_events_created_at_idx;
