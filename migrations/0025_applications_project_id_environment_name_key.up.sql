create unique index if not exists applications_project_id_environment_name_key on applications (project_id, environment, name) where deleted_at is null;
