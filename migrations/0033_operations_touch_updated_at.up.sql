do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'operations_touch_updated_at' and tgrelid = 'operations'::regclass) then
    create trigger operations_touch_updated_at before update on operations for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
