drop trigger if exists store_events_touch_updated_at on store_events;
