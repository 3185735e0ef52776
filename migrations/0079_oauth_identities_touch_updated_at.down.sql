drop trigger if exists oauth_identities_touch_updated_at on oauth_identities;
