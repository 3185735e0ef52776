drop trigger if exists stores_audit on stores;
