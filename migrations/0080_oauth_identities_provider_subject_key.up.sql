create unique index if not exists oauth_identities_provider_subject_key on oauth_identities (provider, subject) where deleted_at is null;
