create unique index if not exists teams_slug_key on teams (slug) where deleted_at is null;
