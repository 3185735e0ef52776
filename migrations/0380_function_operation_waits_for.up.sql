-- What the platform does by itself has words too, and nobody is told to cancel what cannot be cancelled.
create or replace function northstack_operation_waits_for(operation operations) returns text
language sql stable
as $$
  select case
    when operation.status not in ('queued', 'running', 'waiting') then null
    when operation.lane_blocked then (
      select case front.kind
          when 'store.create' then 'the creation'
          when 'store.delete' then 'the deletion'
          when 'deployment.rolling' then 'the deployment'
          when 'deployment.canary' then 'the canary deployment'
          when 'deployment.blue_green' then 'the blue-green deployment'
          when 'deployment.rollback' then 'the rollback'
          when 'application.scale' then 'the change of size'
          when 'application.restart' then 'the restart'
          when 'application.start' then 'the start'
          when 'application.stop' then 'the stop'
          when 'application.delete' then 'the deletion'
          when 'application.heal' then 'the repair'
          when 'application.sweep' then 'the clean-up'
          when 'preview.create' then 'a new preview environment'
          when 'preview.delete' then 'the removal of a preview environment'
          else 'another operation'
        end
        || coalesce(' of revision ' || d.revision, '')
        || coalesce(' of ' || coalesce(a.name, s.name), '')
        || case
          when front.direction = 'undo' or front.cancel_requested_at is not null then ', which is being taken back'
          when d.status = 'paused'
            then format(', which waits for a person: promote it (northstack promote %s) or abort it (northstack abort %s)',
                        a.name, a.name)
          when d.revision is not null
            then format(', which is being rolled out: wait, or abort it (northstack abort %s)', a.name)
          when front.kind in ('store.delete', 'application.delete', 'preview.delete', 'application.heal', 'application.sweep')
            then ', which is at work: wait'
          else format(', which is at work: wait, or cancel it (northstack operations cancel %s)', front.id)
        end
      from operations front
        left join deployments d on d.operation_id = front.id
        left join applications a on front.subject_type in ('application', 'application_objects') and a.id = front.subject_id
        left join stores s on front.subject_type = 'store' and s.id = front.subject_id
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
