do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'deployments_touch_updated_at' and tgrelid = 'deployments'::regclass) then
    create trigger deployments_touch_updated_at before update on deployments for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
