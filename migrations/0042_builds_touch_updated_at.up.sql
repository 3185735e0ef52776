do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'builds_touch_updated_at' and tgrelid = 'builds'::regclass) then
    create trigger builds_touch_updated_at before update on builds for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
