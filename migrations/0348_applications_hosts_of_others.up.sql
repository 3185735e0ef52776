-- Of applications that had set one host name, the one that is reached under it keeps it, else the first of them. The
-- others could not be deployed with it.
update applications a set settings = a.settings - 'host'
from (
  select id, row_number() over (
    partition by lower(rtrim(settings ->> 'host', '.'))
    order by (split_part(split_part(coalesce(url, ''), '/', 3), ':', 1) = lower(rtrim(settings ->> 'host', '.'))) desc, created_at, id) as place
  from applications where deleted_at is null and settings ->> 'host' is not null
) hosts
where hosts.id = a.id and hosts.place > 1;
