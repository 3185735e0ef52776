drop trigger if exists secrets_audit on secrets;
