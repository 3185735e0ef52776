create table if not exists operation_steps (
  id uuid primary key default gen_random_uuid(),
  operation_id uuid not null references operations (id),
  ordinal integer not null check (ordinal >= 0),
  name text not null,
  title text not null default '',
  status text not null default 'pending' check (status in ('pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'undoing', 'undone', 'undo_failed')),
  attempt integer not null default 0 check (attempt >= 0),
  detail text,
  result jsonb,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
