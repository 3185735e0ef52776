-- For whom or for what an operation waits, and what ends that. None for one that is at work or has ended.
create or replace function northstack_operation_waits_for(operation operations) returns text
language sql stable
as $$
  select case
    when operation.status not in ('queued', 'running', 'waiting') then null
    when operation.lane_blocked then (
      select case
          when front.direction = 'undo' or front.cancel_requested_at is not null
            then coalesce('revision ' || d.revision, front.kind) || ', which is being taken back'
          when d.status = 'paused'
            then format('revision %s, which waits for a person: promote it (northstack promote %s) or abort it (northstack abort %s)',
                        d.revision, a.name, a.name)
          when d.revision is not null
            then format('revision %s, which is being rolled out: wait, or abort it (northstack abort %s)', d.revision, a.name)
          else format('%s, which is at work: wait, or cancel it (northstack operations cancel %s)', front.kind, front.id)
        end
      from operations front
        left join deployments d on d.operation_id = front.id
        left join applications a on a.id = d.application_id
      where front.lane = operation.lane and not front.lane_blocked and front.status in ('queued', 'running', 'waiting')
      limit 1)
    when operation.direction = 'forward' and operation.cancel_requested_at is null then (
      select format('a person: promote revision %s (northstack promote %s) or abort it (northstack abort %s)',
                    d.revision, a.name, a.name)
      from deployments d join applications a on a.id = d.application_id
      where d.operation_id = operation.id and d.status = 'paused'
      limit 1)
    end
$$;
