drop table if exists secrets;
