alter table applications drop column if exists least_revision;
