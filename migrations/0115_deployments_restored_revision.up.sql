alter table deployments add column if not exists restored_revision integer check (restored_revision >= 1);
