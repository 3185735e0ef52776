create index if not exists operations_team_busy_idx on operations (team_id)
where lease_holder is not null and status in ('queued', 'running', 'waiting');
