drop function if exists northstack_plain_name(text);
