drop index if exists databases_project_id_name_key;
