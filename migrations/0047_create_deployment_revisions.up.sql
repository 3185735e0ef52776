create table if not exists deployment_revisions (
  id uuid primary key default gen_random_uuid(),
  application_id uuid not null references applications (id),
  deployment_id uuid not null references deployments (id),
  number integer not null check (number >= 1),
  image text,
  commit_sha text,
  environment jsonb not null default '{}',
  secret_versions jsonb not null default '{}',
  replicas integer not null default 1,
  resources jsonb not null default '{}',
  strategy text not null default 'rolling',
  vendor_history_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
