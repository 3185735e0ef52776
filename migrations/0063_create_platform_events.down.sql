drop table if exists platform_events;
