create table if not exists handled_events (
  consumer text not null,
  event_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (consumer, event_id)
);
