drop trigger if exists builds_touch_updated_at on builds;
