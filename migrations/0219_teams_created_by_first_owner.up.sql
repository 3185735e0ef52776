-- Of teams from before, the first owner counts as who made them.
update teams t set created_by = m.user_id
from (select distinct on (team_id) team_id, user_id from team_members where role = 'owner'
      order by team_id, created_at, id) m
where m.team_id = t.id and t.created_by is null;
