-- How many rows of a kind there may be; an operator changes the number.
create table if not exists row_limits (
  name text primary key,
  most integer not null check (most >= 0)
);
