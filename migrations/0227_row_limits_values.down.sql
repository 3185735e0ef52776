delete from row_limits;
