drop index if exists alerts_unresolved_idx;
