do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'teams_slug_from_name' and tgrelid = 'teams'::regclass) then
    create trigger teams_slug_from_name before insert on teams for each row execute procedure northstack_team_slug();
  end if;
end $$;
