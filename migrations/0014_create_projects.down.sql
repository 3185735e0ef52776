drop table if exists projects;
