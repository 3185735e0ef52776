create unique index if not exists applications_namespace_workload_key on applications (namespace, workload) where workload is not null;
