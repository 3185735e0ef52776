do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'users_touch_updated_at' and tgrelid = 'users'::regclass) then
    create trigger users_touch_updated_at before update on users for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
