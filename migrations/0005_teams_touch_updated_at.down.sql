drop trigger if exists teams_touch_updated_at on teams;
