create index if not exists operations_claim_idx on operations (available_at, id) where status in ('queued', 'running', 'waiting');
