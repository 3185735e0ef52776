drop index if exists platform_events_stream_sequence_idx;
