-- Variables that name a secret of another team or of another application are from the time before that was refused.
update environment_variables v set deleted_at = now()
where v.deleted_at is null and v.secret_id is not null and not exists (
  select 1 from applications a
    join projects p on p.id = a.project_id
    join secrets s on s.team_id = p.team_id and (s.application_id is null or s.application_id = a.id)
  where a.id = v.application_id and s.id = v.secret_id);
