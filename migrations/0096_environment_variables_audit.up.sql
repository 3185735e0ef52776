do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_audit' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_audit after insert or update or delete on environment_variables for each row execute procedure northstack_audit_row();
  end if;
end $$;
