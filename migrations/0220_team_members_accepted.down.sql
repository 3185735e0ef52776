alter table team_members drop column if exists accepted_at, drop column if exists active, drop column if exists team_name;
