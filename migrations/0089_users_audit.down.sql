drop trigger if exists users_audit on users;
