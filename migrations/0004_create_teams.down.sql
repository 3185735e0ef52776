drop table if exists teams;
