delete from row_limits where name = 'user.invitations';
