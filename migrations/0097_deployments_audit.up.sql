do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'deployments_audit' and tgrelid = 'deployments'::regclass) then
    create trigger deployments_audit after insert or update or delete on deployments for each row execute procedure northstack_audit_row();
  end if;
end $$;
