drop function if exists northstack_member_already();
