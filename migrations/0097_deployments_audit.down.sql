drop trigger if exists deployments_audit on deployments;
