create table if not exists audit_chains (
  id uuid primary key,
  length bigint not null default 0,
  head bytea not null default '\x'
);
