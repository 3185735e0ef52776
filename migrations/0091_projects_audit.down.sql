drop trigger if exists projects_audit on projects;
