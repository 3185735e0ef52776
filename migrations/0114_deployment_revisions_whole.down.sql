alter table deployment_revisions drop column if exists port, drop column if exists settings;
