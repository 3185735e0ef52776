do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'audit_logs_immutable' and tgrelid = 'audit_logs'::regclass) then
    create trigger audit_logs_immutable before update or delete on audit_logs for each row execute procedure northstack_audit_immutable();
  end if;
end $$;
