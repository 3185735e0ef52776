-- Arguments: the columns.
create or replace function northstack_now() returns trigger language plpgsql as $$
declare
  v_new jsonb := to_jsonb(new);
begin
  if northstack_acting_user() is null then
    return new;
  end if;
  for i in 0 .. tg_nargs - 1 loop
    if v_new ->> tg_argv[i] is not null and v_new ->> tg_argv[i] is distinct from to_jsonb(old) ->> tg_argv[i] then
      new := jsonb_populate_record(new, jsonb_build_object(tg_argv[i], now()));
    end if;
  end loop;
  return new;
end $$;
