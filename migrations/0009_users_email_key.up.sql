create unique index if not exists users_email_key on users (email) where deleted_at is null;
