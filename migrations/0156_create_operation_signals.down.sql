drop table if exists operation_signals;
