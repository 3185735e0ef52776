drop trigger if exists cluster_nodes_touch_updated_at on cluster_nodes;
