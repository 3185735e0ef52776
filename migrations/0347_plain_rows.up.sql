-- Rows from before are left as they are until they are written anew.
do $$
declare
  v_table text;
begin
  foreach v_table in array array['teams', 'projects', 'users', 'stores', 'api_tokens'] loop
    execute format('alter table %1$I drop constraint if exists %2$I, add constraint %2$I check (northstack_plain_name(name)) not valid',
      v_table, v_table || '_name_plain');
  end loop;
  alter table applications
    drop constraint if exists applications_repository_public,
    add constraint applications_repository_public check (
      repository !~* '^((https|ssh)://([^/@]*@)?|git@)[^/:@]*[.](localhost|local|localdomain|internal|intranet|lan|home|corp|private|invalid|onion|alt|arpa|svc|cluster|test)[:/]') not valid,
    drop constraint if exists applications_image_reference,
    add constraint applications_image_reference check (
      image ~ '^((localhost|[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+|[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*:(0*[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))/)?[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$') not valid;
  if not exists (select 1 from pg_trigger where tgname = 'applications_settings' and tgrelid = 'applications'::regclass) then
    create trigger applications_settings before insert or update on applications for each row execute procedure northstack_application_settings();
  end if;
end $$;
