do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'secrets_place' and tgrelid = 'secrets'::regclass) then
    create trigger secrets_place before insert or update on secrets for each row execute procedure northstack_secret_place();
  end if;
end $$;
