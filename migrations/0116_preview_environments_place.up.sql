alter table preview_environments add column if not exists image text, add column if not exists namespace text, add column if not exists overrides jsonb not null default '{}';
