do $$ begin
  if not exists (
    select 1 from pg_trigger where tgname = 'operation_signals_audit' and tgrelid = 'operation_signals'::regclass) then
    create trigger operation_signals_audit after insert on operation_signals
      for each row execute procedure northstack_audit_signal();
  end if;
end $$;
