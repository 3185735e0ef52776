create unique index if not exists preview_environments_application_id_name_key on preview_environments (application_id, name) where deleted_at is null;
