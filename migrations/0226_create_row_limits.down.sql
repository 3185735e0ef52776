drop table if exists row_limits;
