drop index if exists operations_team_claim_idx;
