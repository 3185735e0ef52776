do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'deployment_revisions_touch_updated_at' and tgrelid = 'deployment_revisions'::regclass) then
    create trigger deployment_revisions_touch_updated_at before update on deployment_revisions for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
