drop function if exists northstack_touch_updated_at();
