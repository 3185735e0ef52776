create index if not exists platform_events_sequence_range_idx on platform_events (sequence asc);
