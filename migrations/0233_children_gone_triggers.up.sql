-- Nothing is deleted while something is being made in it.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'projects_children_gone' and tgrelid = 'projects'::regclass) then
    create trigger projects_children_gone before update on projects for each row execute procedure northstack_children_gone('applications', 'project_id', 'databases', 'project_id');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'teams_children_gone' and tgrelid = 'teams'::regclass) then
    create trigger teams_children_gone before update on teams for each row execute procedure northstack_children_gone('projects', 'team_id', 'clusters', 'team_id', 'stores', 'team_id');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'applications_children_gone' and tgrelid = 'applications'::regclass) then
    create trigger applications_children_gone before update on applications for each row execute procedure northstack_children_gone();
  end if;
end $$;
