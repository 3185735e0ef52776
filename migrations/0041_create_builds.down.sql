drop table if exists builds;
