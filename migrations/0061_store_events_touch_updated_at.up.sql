do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'store_events_touch_updated_at' and tgrelid = 'store_events'::regclass) then
    create trigger store_events_touch_updated_at before update on store_events for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
