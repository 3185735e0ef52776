drop table if exists audit_chains;
