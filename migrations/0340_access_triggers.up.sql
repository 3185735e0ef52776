-- They come first: triggers fire in the order of their names.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'applications_access' and tgrelid = 'applications'::regclass) then
    create trigger applications_access before insert on applications for each row execute procedure northstack_access('project_id', 'projects');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'projects_access' and tgrelid = 'projects'::regclass) then
    create trigger projects_access before insert on projects for each row execute procedure northstack_access('team_id', 'teams');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_access' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_access before insert on team_members for each row execute procedure northstack_access('team_id', 'teams');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_access' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_access before insert on environment_variables for each row execute procedure northstack_access('application_id', 'applications');
  end if;
end $$;
