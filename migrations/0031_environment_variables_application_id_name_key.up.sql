create unique index if not exists environment_variables_application_id_name_key on environment_variables (application_id, name) where deleted_at is null;
