drop index if exists users_email_key;
