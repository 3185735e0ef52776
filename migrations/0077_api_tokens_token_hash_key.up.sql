create unique index if not exists api_tokens_token_hash_key on api_tokens (token_hash);
