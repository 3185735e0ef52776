do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'alerts_touch_updated_at' and tgrelid = 'alerts'::regclass) then
    create trigger alerts_touch_updated_at before update on alerts for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
