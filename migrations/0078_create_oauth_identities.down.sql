drop table if exists oauth_identities;
