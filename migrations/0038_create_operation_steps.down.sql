drop table if exists operation_steps;
