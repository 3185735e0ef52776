do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'oauth_identities_touch_updated_at' and tgrelid = 'oauth_identities'::regclass) then
    create trigger oauth_identities_touch_updated_at before update on oauth_identities for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
