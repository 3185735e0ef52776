-- Waits for whoever is making something in a row that is being deleted, and refuses people (not the platform, which
-- tidies up) who would delete it with something in it. Arguments: pairs of a table and its column that leads here.
create or replace function northstack_children_gone() returns trigger language plpgsql as $$
declare
  v_any integer;
begin
  if new.deleted_at is null or old.deleted_at is not null then
    return new;
  end if;
  execute format('select 1 from %I where id = $1 for update', tg_table_name) using new.id;
  if northstack_acting_user() is null then
    return new;
  end if;
  for i in 0 .. tg_nargs / 2 - 1 loop
    execute format('select 1 from %I where %I = $1 and deleted_at is null limit 1', tg_argv[2 * i], tg_argv[2 * i + 1])
      using new.id into v_any;
    if v_any is not null then
      raise exception '%', 'deleted_at: there are ' || tg_argv[2 * i] || ' in it; delete them first'
        using errcode = 'check_violation', constraint = tg_table_name || '_deleted_at_children', table = tg_table_name;
    end if;
  end loop;
  return new;
end $$;
