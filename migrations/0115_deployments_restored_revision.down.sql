alter table deployments drop column if exists restored_revision;
