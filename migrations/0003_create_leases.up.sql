create table if not exists leases (
  name text primary key,
  holder text not null,
  generation bigint not null default 1,
  expires_at timestamptz not null
);
