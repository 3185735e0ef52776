drop trigger if exists operations_audit on operations;
