create index if not exists operations_team_claim_idx on operations (team_id asc, available_at asc, id asc)
where status in ('queued', 'running', 'waiting');
