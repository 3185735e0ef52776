drop trigger if exists applications_audit on applications;
