drop trigger if exists alerts_audit on alerts;
