-- The names of what is gone are free again.
create unique index if not exists applications_place_key on applications (namespace, workload) where status <> 'deleted';
