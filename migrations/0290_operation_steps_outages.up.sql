-- How long a step could not be worked on, because what it needs was away or because it waits for a signal: its deadline
-- counts neither.
alter table operation_steps
  add column if not exists outage_since timestamptz,
  add column if not exists outage_seconds double precision not null default 0,
  add column if not exists parked_since timestamptz,
  add column if not exists parked_seconds double precision not null default 0;
