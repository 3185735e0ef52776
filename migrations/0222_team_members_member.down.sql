drop trigger if exists team_members_member on team_members;
