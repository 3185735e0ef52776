drop trigger if exists applications_touch_updated_at on applications;
