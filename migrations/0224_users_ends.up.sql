do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'users_ends' and tgrelid = 'users'::regclass) then
    create trigger users_ends after update on users for each row execute procedure northstack_user_ends();
  end if;
end $$;
