drop function if exists northstack_acting_user();
