drop index if exists operations_subject_idx;
