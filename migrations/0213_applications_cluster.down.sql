drop trigger if exists applications_cluster on applications;
