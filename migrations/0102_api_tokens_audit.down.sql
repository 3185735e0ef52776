drop trigger if exists api_tokens_audit on api_tokens;
