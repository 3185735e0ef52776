drop function if exists northstack_acting_role(text, uuid);
