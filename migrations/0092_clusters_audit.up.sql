do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'clusters_audit' and tgrelid = 'clusters'::regclass) then
    create trigger clusters_audit after insert or update or delete on clusters for each row execute procedure northstack_audit_row();
  end if;
end $$;
