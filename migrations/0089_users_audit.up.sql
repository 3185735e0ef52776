do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'users_audit' and tgrelid = 'users'::regclass) then
    create trigger users_audit after insert or update or delete on users for each row execute procedure northstack_audit_row();
  end if;
end $$;
