drop table if exists applications;
