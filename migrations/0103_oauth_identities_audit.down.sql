drop trigger if exists oauth_identities_audit on oauth_identities;
