create index if not exists store_events_store_id_created_at_idx on store_events (store_id, created_at desc);
