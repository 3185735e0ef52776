drop trigger if exists teams_audit on teams;
