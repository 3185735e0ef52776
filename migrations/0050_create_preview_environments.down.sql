drop table if exists preview_environments;
