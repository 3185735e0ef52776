drop function if exists northstack_parent_lives();
