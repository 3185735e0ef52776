drop index if exists applications_namespace_workload_key;
