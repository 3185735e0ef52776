do $$ begin
  drop trigger if exists operations_limit_team on operations;
  drop trigger if exists operations_limit_application on operations;
end $$;
