do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'projects_audit' and tgrelid = 'projects'::regclass) then
    create trigger projects_audit after insert or update or delete on projects for each row execute procedure northstack_audit_row();
  end if;
end $$;
