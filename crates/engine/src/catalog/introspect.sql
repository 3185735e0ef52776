-- Everything the engine knows of a database, as one JSON document in one row.
-- Runs on PostgreSQL 11 (YugabyteDB) and later: columns that came later are read through to_jsonb.
with shown as (
  select n.oid, n.nspname
  from pg_catalog.pg_namespace n
  where n.nspname not in ('pg_catalog', 'information_schema', 'hdb_catalog') and n.nspname !~ '^pg_(toast|temp)'
),
-- Domains and arrays, resolved to what a client sees.
type_names as (
  select t.oid, t.typname as own, t.typtype,
         coalesce(b.typname, t.typname) as name,
         coalesce(b.oid, t.oid) as base_oid,
         e.typname as element, e.typtype as element_kind, e.oid as element_oid,
         pg_catalog.format_type(t.oid, null) as sql,
         tn.nspname as schema
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
  left join pg_catalog.pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
  left join pg_catalog.pg_type e on e.oid = coalesce(b.typelem, t.typelem) and coalesce(b.typlen, t.typlen) = -1
    and coalesce(b.typcategory, t.typcategory) = 'A'
),
columns as (
  select a.attrelid, json_agg(json_build_object(
    'name', a.attname,
    'position', a.attnum,
    'not_null', a.attnotnull or t.typtype = 'd' and exists (select from pg_catalog.pg_type d where d.oid = t.oid and d.typnotnull),
    'has_default', a.atthasdef,
    'generated', coalesce(to_jsonb(a)->>'attgenerated', '') <> '',
    'identity_always', a.attidentity = 'a',
    'comment', pg_catalog.col_description(a.attrelid, a.attnum),
    'type', json_build_object('oid', t.base_oid::int8, 'name', t.name, 'kind', t.typtype, 'sql', t.sql,
      'element', t.element, 'element_oid', t.element_oid::int8)
  ) order by a.attnum) as list
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join shown s on s.oid = c.relnamespace
  join type_names t on t.oid = a.atttypid
  where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'f', 'p')
  group by a.attrelid
),
constraints as (
  select k.conrelid, json_agg(json_build_object(
    'name', k.conname,
    'kind', k.contype,
    'columns', (select json_agg(a.attname order by u.n) from unnest(k.conkey) with ordinality u(num, n)
                join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num),
    'remote', case when k.contype = 'f' then json_build_object('schema', rn.nspname, 'name', r.relname) end,
    'remote_columns', case when k.contype = 'f' then
      (select json_agg(a.attname order by u.n) from unnest(k.confkey) with ordinality u(num, n)
       join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num) end
  ) order by k.conname) as list
  from pg_catalog.pg_constraint k
  left join pg_catalog.pg_class r on r.oid = k.confrelid
  left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
  where k.contype in ('p', 'u', 'f')
  group by k.conrelid
),
tables as (
  select json_agg(json_build_object(
    'name', json_build_object('schema', s.nspname, 'name', c.relname),
    'kind', c.relkind,
    'comment', pg_catalog.obj_description(c.oid, 'pg_class'),
    'columns', coalesce(col.list, '[]'),
    'constraints', coalesce(con.list, '[]'),
    'updatable', case when c.relkind = 'v' then pg_catalog.pg_relation_is_updatable(c.oid, true)
                      when c.relkind in ('r', 'p', 'f') then 28 else 0 end
  ) order by s.nspname, c.relname) as list
  from pg_catalog.pg_class c
  join shown s on s.oid = c.relnamespace
  left join columns col on col.attrelid = c.oid
  left join constraints con on con.conrelid = c.oid
  where c.relkind in ('r', 'v', 'm', 'f', 'p')
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
functions as (
  select json_agg(json_build_object(
    'name', json_build_object('schema', s.nspname, 'name', p.proname),
    'comment', pg_catalog.obj_description(p.oid, 'pg_proc'),
    'volatility', p.provolatile,
    'variadic', p.provariadic <> 0,
    'returns_set', p.proretset,
    'returns', json_build_object('oid', rt.base_oid::int8, 'name', rt.name, 'kind', rt.typtype, 'sql', rt.sql,
      'element', rt.element, 'element_oid', rt.element_oid::int8),
    'returns_table', case when rc.oid is not null then json_build_object('schema', rcn.nspname, 'name', rc.relname) end,
    'arguments', (
      select coalesce(json_agg(json_build_object(
        'name', p.proargnames[u.n],
        'type', json_build_object('oid', t.base_oid::int8, 'name', t.name, 'kind', t.typtype, 'sql', t.sql,
          'element', t.element, 'element_oid', t.element_oid::int8),
        'table', case when ac.oid is not null then json_build_object('schema', acn.nspname, 'name', ac.relname) end,
        'has_default', u.n > p.pronargs - p.pronargdefaults
      ) order by u.n), '[]')
      from unnest(p.proargtypes::oid[]) with ordinality u(oid, n)
      join type_names t on t.oid = u.oid
      left join pg_catalog.pg_type at on at.oid = u.oid
      left join pg_catalog.pg_class ac on ac.oid = at.typrelid and ac.relkind in ('r', 'v', 'm', 'f', 'p')
      left join pg_catalog.pg_namespace acn on acn.oid = ac.relnamespace
    )
  ) order by s.nspname, p.proname, p.oid) as list
  from pg_catalog.pg_proc p
  join shown s on s.oid = p.pronamespace
  join type_names rt on rt.oid = p.prorettype
  left join pg_catalog.pg_type rpt on rpt.oid = p.prorettype
  left join pg_catalog.pg_class rc on rc.oid = rpt.typrelid and rc.relkind in ('r', 'v', 'm', 'f', 'p')
  left join pg_catalog.pg_namespace rcn on rcn.oid = rc.relnamespace
  where p.prokind = 'f'
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
)
select json_build_object(
  'tables', coalesce((select list from tables), '[]'),
  'functions', coalesce((select list from functions), '[]')
)::text
