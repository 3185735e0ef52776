-- Rows from before are left as they are until they are written anew.
alter table environment_variables
  drop constraint if exists environment_variables_value_bound,
  add constraint environment_variables_value_bound check (octet_length(value) <= 65536) not valid;
