create table if not exists operation_lanes (
  lane text primary key,
  turn bigint not null
);
