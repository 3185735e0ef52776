drop index if exists operations_lane_queue_idx;
