delete from row_limits where name in ('team.open_operations', 'application.open_operations');
