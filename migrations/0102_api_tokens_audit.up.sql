do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'api_tokens_audit' and tgrelid = 'api_tokens'::regclass) then
    create trigger api_tokens_audit after insert or update or delete on api_tokens for each row execute procedure northstack_audit_row();
  end if;
end $$;
