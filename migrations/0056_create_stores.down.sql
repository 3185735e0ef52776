drop table if exists stores;
