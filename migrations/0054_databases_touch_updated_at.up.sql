do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'databases_touch_updated_at' and tgrelid = 'databases'::regclass) then
    create trigger databases_touch_updated_at before update on databases for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
