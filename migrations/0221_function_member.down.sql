drop function if exists northstack_member();
