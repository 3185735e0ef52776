create table if not exists environment_variables (
  id uuid primary key default gen_random_uuid(),
  application_id uuid not null references applications (id),
  name text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,254}$'),
  value text,
  secret_id uuid references secrets (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint environment_variables_one_source check ((value is null) <> (secret_id is null))
);
