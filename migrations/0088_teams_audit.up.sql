do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'teams_audit' and tgrelid = 'teams'::regclass) then
    create trigger teams_audit after insert or update or delete on teams for each row execute procedure northstack_audit_row();
  end if;
end $$;
