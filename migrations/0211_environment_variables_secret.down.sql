drop trigger if exists environment_variables_secret on environment_variables;
