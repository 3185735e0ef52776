do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_touch_updated_at' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_touch_updated_at before update on environment_variables for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
