do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_secret' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_secret before insert or update on environment_variables for each row execute procedure northstack_variable_secret();
  end if;
end $$;
