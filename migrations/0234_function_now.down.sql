drop function if exists northstack_now();
