drop table if exists deployments;
