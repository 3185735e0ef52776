do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'stores_audit' and tgrelid = 'stores'::regclass) then
    create trigger stores_audit after insert or update or delete on stores for each row execute procedure northstack_audit_row();
  end if;
end $$;
