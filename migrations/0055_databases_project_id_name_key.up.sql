create unique index if not exists databases_project_id_name_key on databases (project_id, name) where deleted_at is null;
