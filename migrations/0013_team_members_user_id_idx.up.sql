create index if not exists team_members_user_id_idx on team_members (user_id);
