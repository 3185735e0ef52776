do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'oauth_identities_audit' and tgrelid = 'oauth_identities'::regclass) then
    create trigger oauth_identities_audit after insert or update or delete on oauth_identities for each row execute procedure northstack_audit_row();
  end if;
end $$;
