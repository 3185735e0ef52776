create table if not exists platform_events (
  id uuid primary key,
  sequence bigint not null,
  stream text not null,
  stream_sequence bigint not null,
  subject text not null,
  type text not null,
  source text not null,
  team_id uuid references teams (id),
  entity_id text,
  data jsonb not null default '{}',
  metadata jsonb not null default '{}',
  correlation_id text,
  occurred_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
