do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'secrets_touch_updated_at' and tgrelid = 'secrets'::regclass) then
    create trigger secrets_touch_updated_at before update on secrets for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
