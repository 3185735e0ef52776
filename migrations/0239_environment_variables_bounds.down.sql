alter table environment_variables
  drop constraint if exists environment_variables_value_bound;
