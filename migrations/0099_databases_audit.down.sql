drop trigger if exists databases_audit on databases;
