do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'team_members_touch_updated_at' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_touch_updated_at before update on team_members for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
