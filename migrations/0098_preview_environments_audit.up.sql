do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'preview_environments_audit' and tgrelid = 'preview_environments'::regclass) then
    create trigger preview_environments_audit after insert or update or delete on preview_environments for each row execute procedure northstack_audit_row();
  end if;
end $$;
