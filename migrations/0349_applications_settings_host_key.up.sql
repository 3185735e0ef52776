create unique index if not exists applications_settings_host_key on applications (lower(rtrim(settings ->> 'host', '.'))) where deleted_at is null;
