drop trigger if exists team_members_audit on team_members;
