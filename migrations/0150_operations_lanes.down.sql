alter table operations
  drop column if exists lane,
  drop column if exists lane_turn,
  drop column if exists lane_blocked,
  drop column if exists superseded_by,
  drop column if exists woken;
