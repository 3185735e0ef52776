do $$
declare
  v_table text;
begin
  foreach v_table in array array['teams', 'projects', 'users', 'stores', 'api_tokens'] loop
    execute format('alter table %I drop constraint if exists %I', v_table, v_table || '_name_plain');
  end loop;
  alter table applications drop constraint if exists applications_repository_public,
    drop constraint if exists applications_image_reference;
  drop trigger if exists applications_settings on applications;
end $$;
