drop trigger if exists cluster_nodes_audit on cluster_nodes;
