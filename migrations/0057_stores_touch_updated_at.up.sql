do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'stores_touch_updated_at' and tgrelid = 'stores'::regclass) then
    create trigger stores_touch_updated_at before update on stores for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
