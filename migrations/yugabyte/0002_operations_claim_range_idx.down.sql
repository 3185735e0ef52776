drop index if exists operations_claim_range_idx;
