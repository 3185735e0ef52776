create or replace function northstack_team_slug() returns trigger language plpgsql as $$
declare
  base text := trim(both '-' from left(trim(both '-' from
    regexp_replace(lower(coalesce(new.name, '')) collate "C", '[^a-z0-9]+', '-', 'g')), 40));
begin
  if new.slug is null then
    -- Part of the id makes it unique, and tells nobody whose names are taken.
    new.slug := case base when '' then 'team' else base end || '-' || left(replace(new.id::text, '-', ''), 10);
  end if;
  return new;
end $$;
