drop index if exists cluster_nodes_cluster_id_name_key;
