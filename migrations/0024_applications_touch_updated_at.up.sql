do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'applications_touch_updated_at' and tgrelid = 'applications'::regclass) then
    create trigger applications_touch_updated_at before update on applications for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
