alter table applications add column if not exists namespace text, add column if not exists workload text;
