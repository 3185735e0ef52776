drop function if exists northstack_secret_place();
