-- A time at which a person does something is the time at which they do it.
do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'teams_now' and tgrelid = 'teams'::regclass) then
    create trigger teams_now before update on teams for each row execute procedure northstack_now('deleted_at');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'team_members_now' and tgrelid = 'team_members'::regclass) then
    create trigger team_members_now before update on team_members for each row execute procedure northstack_now('deleted_at');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'projects_now' and tgrelid = 'projects'::regclass) then
    create trigger projects_now before update on projects for each row execute procedure northstack_now('deleted_at');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'applications_now' and tgrelid = 'applications'::regclass) then
    create trigger applications_now before update on applications for each row execute procedure northstack_now('deleted_at');
  end if;
  if not exists (select 1 from pg_trigger where tgname = 'environment_variables_now' and tgrelid = 'environment_variables'::regclass) then
    create trigger environment_variables_now before update on environment_variables for each row execute procedure northstack_now('deleted_at');
  end if;
end $$;
