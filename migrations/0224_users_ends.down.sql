drop trigger if exists users_ends on users;
