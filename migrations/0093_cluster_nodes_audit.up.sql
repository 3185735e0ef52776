do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'cluster_nodes_audit' and tgrelid = 'cluster_nodes'::regclass) then
    create trigger cluster_nodes_audit after insert or update or delete on cluster_nodes for each row execute procedure northstack_audit_row();
  end if;
end $$;
