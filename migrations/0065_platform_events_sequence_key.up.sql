create unique index if not exists platform_events_sequence_key on platform_events (sequence);
