-- What the platform asks for by itself has no limit, and deletions have none: they make room.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'operations_limit_application' and tgrelid = 'operations'::regclass) then
    create trigger operations_limit_application before insert on operations for each row
      when (new.requested_by is not null and new.subject_type = 'application' and new.kind not like '%delete%')
      execute procedure northstack_row_limit(
        'application.open_operations', 'applications', '($1).subject_id',
        'select count(*) from operations where subject_type = ($1).subject_type and subject_id = $2 and status in (''queued'', ''running'', ''waiting'')',
        'id', 'the application has # operations that have not ended, which is its limit; wait until some have, or cancel them');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'operations_limit_team' and tgrelid = 'operations'::regclass) then
    create trigger operations_limit_team before insert on operations for each row
      when (new.requested_by is not null and new.subject_type in ('application', 'preview_environment', 'store') and new.kind not like '%delete%')
      execute procedure northstack_row_limit(
        'team.open_operations', 'teams', '($1).team_id',
        'select count(*) from operations where team_id = $2 and status in (''queued'', ''running'', ''waiting'')',
        'team_id', 'the team has # operations that have not ended, which is its limit; wait until some have, or cancel them');
  end if;
end $$;
