drop table if exists clusters;
