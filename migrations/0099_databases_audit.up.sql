do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'databases_audit' and tgrelid = 'databases'::regclass) then
    create trigger databases_audit after insert or update or delete on databases for each row execute procedure northstack_audit_row();
  end if;
end $$;
