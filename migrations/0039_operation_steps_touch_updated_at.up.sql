do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'operation_steps_touch_updated_at' and tgrelid = 'operation_steps'::regclass) then
    create trigger operation_steps_touch_updated_at before update on operation_steps for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
