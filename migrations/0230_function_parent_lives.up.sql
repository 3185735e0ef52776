-- Refuses a row in what is deleted, or is being deleted just now: its deletion waits for this lock, or this waits for it.
-- Arguments: pairs of a column and the table that it leads to.
create or replace function northstack_parent_lives() returns trigger language plpgsql as $$
declare
  v_parent uuid;
  v_lives integer;
begin
  for i in 0 .. tg_nargs / 2 - 1 loop
    v_parent := (to_jsonb(new) ->> tg_argv[2 * i])::uuid;
    continue when v_parent is null;
    execute format('select 1 from %I where id = $1 and deleted_at is null for key share', tg_argv[2 * i + 1])
      using v_parent into v_lives;
    if v_lives is null then
      raise exception '%', tg_argv[2 * i] || ': there is no such ' || rtrim(tg_argv[2 * i + 1], 's')
        using errcode = 'check_violation', constraint = tg_table_name || '_' || tg_argv[2 * i] || '_lives',
              table = tg_table_name;
    end if;
  end loop;
  return new;
end $$;
