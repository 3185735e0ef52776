do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'team_members_member' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_member before insert or update or delete on team_members for each row execute procedure northstack_member();
  end if;
end $$;
