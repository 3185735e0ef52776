drop table if exists store_events;
