do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'clusters_touch_updated_at' and tgrelid = 'clusters'::regclass) then
    create trigger clusters_touch_updated_at before update on clusters for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
