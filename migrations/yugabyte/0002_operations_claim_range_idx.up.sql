create index if not exists operations_claim_range_idx on operations (available_at asc, id asc) where status in ('queued', 'running', 'waiting');
