create index if not exists platform_events_stream_sequence_idx on platform_events (stream, sequence desc);
