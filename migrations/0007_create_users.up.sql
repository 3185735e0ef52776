create table if not exists users (
  id uuid primary key default gen_random_uuid(),
  email text not null check (email = lower(email) and email like '%_@_%'),
  name text not null check (length(btrim(name)) between 1 and 200),
  platform_role text not null default 'user' check (platform_role in ('user', 'admin')),
  password_hash text,
  avatar_url text,
  email_verified_at timestamptz,
  last_login_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
