drop trigger if exists deployments_touch_updated_at on deployments;
