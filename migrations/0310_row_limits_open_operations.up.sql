-- What a team's people may have asked for that has not ended yet.
insert into row_limits (name, most) values ('team.open_operations', 200), ('application.open_operations', 20)
on conflict (name) do nothing;
