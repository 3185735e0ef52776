create unique index if not exists deployment_revisions_application_id_number_key on deployment_revisions (application_id, number);
