drop index if exists platform_events_sequence_range_idx;
