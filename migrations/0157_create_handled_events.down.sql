drop table if exists handled_events;
