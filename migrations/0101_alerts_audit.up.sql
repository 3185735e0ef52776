do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'alerts_audit' and tgrelid = 'alerts'::regclass) then
    create trigger alerts_audit after insert or update or delete on alerts for each row execute procedure northstack_audit_row();
  end if;
end $$;
