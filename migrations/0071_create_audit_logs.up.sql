create table if not exists audit_logs (
  id uuid primary key default gen_random_uuid(),
  chain_id uuid not null,
  chain_position bigint not null,
  team_id uuid,
  actor_id uuid,
  actor_role text not null,
  action text not null,
  resource_type text not null,
  resource_id uuid,
  before jsonb,
  after jsonb,
  details jsonb not null default '{}',
  correlation_id text,
  previous_hash bytea not null,
  hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
