alter table teams drop column if exists created_by;
