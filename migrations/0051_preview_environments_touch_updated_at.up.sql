do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'preview_environments_touch_updated_at' and tgrelid = 'preview_environments'::regclass) then
    create trigger preview_environments_touch_updated_at before update on preview_environments for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
