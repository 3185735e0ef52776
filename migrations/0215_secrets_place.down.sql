drop trigger if exists secrets_place on secrets;
