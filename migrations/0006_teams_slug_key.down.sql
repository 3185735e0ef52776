drop index if exists teams_slug_key;
