drop trigger if exists secrets_touch_updated_at on secrets;
