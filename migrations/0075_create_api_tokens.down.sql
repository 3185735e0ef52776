drop table if exists api_tokens;
