drop trigger if exists platform_events_touch_updated_at on platform_events;
