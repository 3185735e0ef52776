create unique index if not exists operations_lane_front_key on operations (lane)
where lane is not null and not lane_blocked and status in ('queued', 'running', 'waiting');
