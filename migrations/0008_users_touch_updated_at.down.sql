drop trigger if exists users_touch_updated_at on users;
