do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'cluster_nodes_touch_updated_at' and tgrelid = 'cluster_nodes'::regclass) then
    create trigger cluster_nodes_touch_updated_at before update on cluster_nodes for each row execute procedure northstack_touch_updated_at();
  end if;
end $$;
