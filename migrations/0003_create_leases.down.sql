drop table if exists leases;
