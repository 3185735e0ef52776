drop trigger if exists team_members_touch_updated_at on team_members;
