drop function if exists northstack_application_settings();
