do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'api_tokens_touch_updated_at' and tgrelid = 'api_tokens'::regclass) then
    create trigger api_tokens_touch_updated_at before update on api_tokens for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
