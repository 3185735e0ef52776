alter table preview_environments drop column if exists image, drop column if exists namespace, drop column if exists overrides;
