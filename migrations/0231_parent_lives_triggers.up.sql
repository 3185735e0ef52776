-- Nothing is made in what is being deleted.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'applications_parent_lives' and tgrelid = 'applications'::regclass) then
    create trigger applications_parent_lives before insert on applications for each row execute procedure northstack_parent_lives('project_id', 'projects');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'projects_parent_lives' and tgrelid = 'projects'::regclass) then
    create trigger projects_parent_lives before insert on projects for each row execute procedure northstack_parent_lives('team_id', 'teams');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_parent_lives' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_parent_lives before insert on team_members for each row execute procedure northstack_parent_lives('team_id', 'teams', 'user_id', 'users');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'teams_parent_lives' and tgrelid = 'teams'::regclass) then
    create trigger teams_parent_lives before insert on teams for each row execute procedure northstack_parent_lives('created_by', 'users');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'secrets_parent_lives' and tgrelid = 'secrets'::regclass) then
    create trigger secrets_parent_lives before insert on secrets for each row execute procedure northstack_parent_lives('team_id', 'teams', 'application_id', 'applications');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_parent_lives' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_parent_lives before insert on environment_variables for each row execute procedure northstack_parent_lives('application_id', 'applications');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'stores_parent_lives' and tgrelid = 'stores'::regclass) then
    create trigger stores_parent_lives before insert on stores for each row execute procedure northstack_parent_lives('team_id', 'teams');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'clusters_parent_lives' and tgrelid = 'clusters'::regclass) then
    create trigger clusters_parent_lives before insert on clusters for each row execute procedure northstack_parent_lives('team_id', 'teams');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'databases_parent_lives' and tgrelid = 'databases'::regclass) then
    create trigger databases_parent_lives before insert on databases for each row execute procedure northstack_parent_lives('project_id', 'projects');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'preview_environments_parent_lives' and tgrelid = 'preview_environments'::regclass) then
    create trigger preview_environments_parent_lives before insert on preview_environments for each row execute procedure northstack_parent_lives('application_id', 'applications');
  end if;
end $$;
