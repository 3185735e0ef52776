do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'projects_touch_updated_at' and tgrelid = 'projects'::regclass) then
    create trigger projects_touch_updated_at before update on projects for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
