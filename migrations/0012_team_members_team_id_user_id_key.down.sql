drop index if exists team_members_team_id_user_id_key;
