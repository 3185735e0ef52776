do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'platform_events_touch_updated_at' and tgrelid = 'platform_events'::regclass) then
    create trigger platform_events_touch_updated_at before update on platform_events for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
