do $$ begin
  drop trigger if exists projects_children_gone on projects;
  drop trigger if exists teams_children_gone on teams;
  drop trigger if exists applications_children_gone on applications;
end $$;
