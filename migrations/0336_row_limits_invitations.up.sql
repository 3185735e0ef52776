insert into row_limits (name, most) values ('user.invitations', 100) on conflict (name) do nothing;
