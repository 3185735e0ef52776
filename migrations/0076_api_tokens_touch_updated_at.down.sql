drop trigger if exists api_tokens_touch_updated_at on api_tokens;
