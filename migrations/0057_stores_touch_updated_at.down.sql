drop trigger if exists stores_touch_updated_at on stores;
