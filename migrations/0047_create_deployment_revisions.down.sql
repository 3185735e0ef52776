drop table if exists deployment_revisions;
