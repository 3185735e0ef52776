create index if not exists operations_lane_queue_idx on operations (lane, lane_turn)
where lane_blocked and status in ('queued', 'running', 'waiting');
