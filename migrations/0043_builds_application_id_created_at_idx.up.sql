create index if not exists builds_application_id_created_at_idx on builds (application_id, created_at desc);
