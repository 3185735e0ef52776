drop table if exists cluster_nodes;
