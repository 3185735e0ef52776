alter table applications drop column if exists namespace, drop column if exists workload;
