drop function if exists northstack_user_ends();
