-- Refuses a row that is one too many. Arguments: the limit's name, the table of the row that has the limit, an expression
-- for that row's id ($1 is the new row), a query that counts what it has ($2 is the id), the column that is at fault and
-- the sentence. The row that has the limit is locked, so that of two at once each counts the other.
create or replace function northstack_row_limit() returns trigger language plpgsql as $$
declare
  v_most integer;
  v_of uuid;
  v_count bigint;
begin
  select most into v_most from row_limits where name = tg_argv[0];
  execute 'select ' || tg_argv[2] using new into v_of;
  if v_most is null or v_of is null then
    return new;
  end if;
  execute format('select 1 from %I where id = $1 for no key update', tg_argv[1]) using v_of;
  execute tg_argv[3] using new, v_of into v_count;
  if v_count >= v_most then
    raise exception '%', tg_argv[4] || ': ' || replace(tg_argv[5], '#', v_most::text)
      using errcode = 'check_violation', constraint = tg_table_name || '_' || tg_argv[4] || '_limit', table = tg_table_name;
  end if;
  return new;
end $$;
