drop trigger if exists projects_touch_updated_at on projects;
