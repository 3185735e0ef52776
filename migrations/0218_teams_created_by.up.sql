alter table teams add column if not exists created_by uuid references users (id);
