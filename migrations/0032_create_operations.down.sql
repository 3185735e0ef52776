drop table if exists operations;
