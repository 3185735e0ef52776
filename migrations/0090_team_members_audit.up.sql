do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'team_members_audit' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_audit after insert or update or delete on team_members for each row execute procedure northstack_audit_row();
  end if;
end $$;
