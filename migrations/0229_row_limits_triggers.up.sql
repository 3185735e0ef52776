-- The limits on rows, by the team, the application or the person that has them.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'projects_limit_team' and tgrelid = 'projects'::regclass) then
    create trigger projects_limit_team before insert on projects for each row execute procedure northstack_row_limit(
      'team.projects', 'teams', '($1).team_id',
      'select count(*) from projects where team_id = $2 and deleted_at is null',
      'team_id', 'the team has # projects, which is its limit; delete one first');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'applications_limit_team' and tgrelid = 'applications'::regclass) then
    create trigger applications_limit_team before insert on applications for each row execute procedure northstack_row_limit(
      'team.applications', 'teams', '(select p.team_id from projects p where p.id = ($1).project_id)',
      'select count(*) from applications a join projects p on p.id = a.project_id where p.team_id = $2 and a.deleted_at is null',
      'project_id', 'the team has # applications, which is its limit; delete one first');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'secrets_limit_team' and tgrelid = 'secrets'::regclass) then
    create trigger secrets_limit_team before insert on secrets for each row execute procedure northstack_row_limit(
      'team.secrets', 'teams', '($1).team_id',
      'select count(*) from secrets where team_id = $2 and deleted_at is null',
      'team_id', 'the team has # secrets, which is its limit; delete one first');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'preview_environments_limit_team' and tgrelid = 'preview_environments'::regclass) then
    create trigger preview_environments_limit_team before insert on preview_environments for each row execute procedure northstack_row_limit(
      'team.preview_environments', 'teams', '(select p.team_id from applications a join projects p on p.id = a.project_id where a.id = ($1).application_id)',
      'select count(*) from preview_environments e join applications a on a.id = e.application_id join projects p on p.id = a.project_id where p.team_id = $2 and e.deleted_at is null',
      'application_id', 'the team has # preview environments, which is its limit; delete one first');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_limit_application' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_limit_application before insert on environment_variables for each row execute procedure northstack_row_limit(
      'application.variables', 'applications', '($1).application_id',
      'select count(*) from environment_variables where application_id = $2 and deleted_at is null',
      'application_id', 'the application has # variables, which is its limit; remove one first');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_limit_team' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_limit_team before insert on team_members for each row execute procedure northstack_row_limit(
      'team.members', 'teams', '($1).team_id',
      'select count(*) from team_members where team_id = $2 and deleted_at is null',
      'team_id', 'the team has # members, invited ones among them, which is its limit');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_limit_user' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_limit_user before insert on team_members for each row execute procedure northstack_row_limit(
      'user.memberships', 'users', '($1).user_id',
      'select count(*) from team_members where user_id = $2 and deleted_at is null',
      'user_id', 'this person belongs to # teams, invitations among them, which is the limit');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'teams_limit_user' and tgrelid = 'teams'::regclass) then
    create trigger teams_limit_user before insert on teams for each row execute procedure northstack_row_limit(
      'user.teams', 'users', '($1).created_by',
      'select count(*) from teams where created_by = $2 and deleted_at is null',
      'name', 'you have made # teams, which is the limit; delete one first');
  end if;
end $$;
