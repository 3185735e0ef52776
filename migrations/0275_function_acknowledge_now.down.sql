drop function if exists northstack_acknowledge_now();
