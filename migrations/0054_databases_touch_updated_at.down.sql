drop trigger if exists databases_touch_updated_at on databases;
