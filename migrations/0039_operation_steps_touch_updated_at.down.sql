drop trigger if exists operation_steps_touch_updated_at on operation_steps;
