create index if not exists operations_subject_idx on operations (subject_type, subject_id, created_at desc);
