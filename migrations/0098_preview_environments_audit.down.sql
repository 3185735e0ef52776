drop trigger if exists preview_environments_audit on preview_environments;
