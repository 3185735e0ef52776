drop trigger if exists clusters_audit on clusters;
