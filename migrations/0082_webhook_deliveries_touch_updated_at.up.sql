do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'webhook_deliveries_touch_updated_at' and tgrelid = 'webhook_deliveries'::regclass) then
    create trigger webhook_deliveries_touch_updated_at before update on webhook_deliveries for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
