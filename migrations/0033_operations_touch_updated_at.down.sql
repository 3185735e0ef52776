drop trigger if exists operations_touch_updated_at on operations;
