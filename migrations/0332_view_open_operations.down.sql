drop view if exists open_operations;
