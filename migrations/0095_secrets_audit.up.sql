do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'secrets_audit' and tgrelid = 'secrets'::regclass) then
    create trigger secrets_audit after insert or update or delete on secrets for each row execute procedure northstack_audit_row();
  end if;
end $$;
