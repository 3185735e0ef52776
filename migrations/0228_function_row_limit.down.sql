drop function if exists northstack_row_limit();
