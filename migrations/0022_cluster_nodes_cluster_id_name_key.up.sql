create unique index if not exists cluster_nodes_cluster_id_name_key on cluster_nodes (cluster_id, name) where deleted_at is null;
