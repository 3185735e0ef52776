drop trigger if exists clusters_touch_updated_at on clusters;
