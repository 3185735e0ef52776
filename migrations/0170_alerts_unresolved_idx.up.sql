create index if not exists alerts_unresolved_idx on alerts (subject_type, title, subject_id)
where resolved_at is null and deleted_at is null;
