do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'audit_logs_touch_updated_at' and tgrelid = 'audit_logs'::regclass) then
    create trigger audit_logs_touch_updated_at before update on audit_logs for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
