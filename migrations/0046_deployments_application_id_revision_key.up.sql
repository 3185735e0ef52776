create unique index if not exists deployments_application_id_revision_key on deployments (application_id, revision);
