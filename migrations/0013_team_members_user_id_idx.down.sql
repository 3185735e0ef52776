drop index if exists team_members_user_id_idx;
