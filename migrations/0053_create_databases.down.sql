drop table if exists databases;
