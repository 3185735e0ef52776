drop trigger if exists alerts_touch_updated_at on alerts;
