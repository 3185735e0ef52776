drop function if exists northstack_access();
