do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'applications_audit' and tgrelid = 'applications'::regclass) then
    create trigger applications_audit after insert or update or delete on applications for each row execute procedure northstack_audit_row();
  end if;
end $$;
