drop function if exists northstack_variable_secret();
