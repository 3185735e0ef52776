do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'operations_audit' and tgrelid = 'operations'::regclass) then
    create trigger operations_audit after insert or update of status, cancel_requested_at on operations
      for each row execute procedure northstack_audit_operation();
  end if;
end $$;
