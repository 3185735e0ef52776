drop function if exists northstack_team_owner();
