do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'teams_touch_updated_at' and tgrelid = 'teams'::regclass) then
    create trigger teams_touch_updated_at before update on teams for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
