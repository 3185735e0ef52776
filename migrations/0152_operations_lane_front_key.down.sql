drop index if exists operations_lane_front_key;
