alter table operations
  add column if not exists lane text,
  add column if not exists lane_turn bigint not null default 0,
  add column if not exists lane_blocked boolean not null default false,
  add column if not exists superseded_by uuid references operations (id),
  add column if not exists woken boolean not null default false;
