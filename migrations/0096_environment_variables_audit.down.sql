drop trigger if exists environment_variables_audit on environment_variables;
