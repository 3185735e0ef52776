drop table if exists environment_variables;
