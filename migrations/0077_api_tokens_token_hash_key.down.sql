drop index if exists api_tokens_token_hash_key;
