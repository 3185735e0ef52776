drop table if exists alerts;
