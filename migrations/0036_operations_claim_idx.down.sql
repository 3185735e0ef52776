drop index if exists operations_claim_idx;
