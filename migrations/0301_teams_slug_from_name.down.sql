drop trigger if exists teams_slug_from_name on teams;
