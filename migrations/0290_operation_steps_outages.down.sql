alter table operation_steps
  drop column if exists outage_since,
  drop column if exists outage_seconds,
  drop column if exists parked_since,
  drop column if exists parked_seconds;
