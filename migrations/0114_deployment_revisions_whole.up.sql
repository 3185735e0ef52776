alter table deployment_revisions add column if not exists port integer not null default 8080 check (port between 1 and 65535), add column if not exists settings jsonb not null default '{}';
