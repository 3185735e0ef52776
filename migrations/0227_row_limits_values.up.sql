insert into row_limits (name, most) values
  ('user.teams', 10), ('user.memberships', 100), ('user.stores', 20),
  ('team.members', 200), ('team.projects', 100), ('team.applications', 500), ('team.secrets', 500),
  ('team.preview_environments', 50), ('application.variables', 1000)
on conflict (name) do nothing;
