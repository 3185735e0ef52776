do $$ begin
  drop trigger if exists operations_limit_team on operations;
  create trigger operations_limit_team before insert on operations for each row
    when (new.requested_by is not null and new.subject_type in ('application', 'preview_environment', 'store') and new.kind not like '%delete%')
    execute procedure northstack_row_limit(
      'team.open_operations', 'teams', '($1).team_id',
      'select count(*) from operations where team_id = $2 and status in (''queued'', ''running'', ''waiting'')',
      'team_id', 'the team has # operations that have not ended, which is its limit; wait until some have, or cancel them');
end $$;
