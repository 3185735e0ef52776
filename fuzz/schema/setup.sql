-- What documents, variables and metadata are tried against. `catalog.json` is what the engine reads of it.
create extension if not exists ltree;
create table kinds (value text primary key, comment text);
insert into kinds values ('book', 'Bound paper'), ('note', null), ('essay', 'Short');
create table authors (
  id serial primary key,
  name text not null unique,
  email text,
  born date,
  tenant uuid not null,
  rating float8,
  active bool not null default true,
  settings jsonb,
  tags text[],
  place ltree
);
create table articles (
  id bigint generated always as identity primary key,
  author_id int references authors on delete cascade,
  title varchar(200) not null,
  kind text not null default 'note' references kinds,
  price numeric(10, 2),
  words smallint check (words >= 0),
  body json,
  published timestamptz,
  span interval,
  raw bytea,
  unique (author_id, title)
);
create table comments (
  id uuid primary key default gen_random_uuid(),
  article_id bigint not null references articles,
  parent uuid references comments,
  "odd ""name" text,
  at timestamp not null default now()
);
create view busy as select author_id, count(*) as articles from articles group by author_id;
create view essays as select * from articles where kind = 'essay';
create function title_upper(row_ articles) returns text language sql stable as $$ select upper(row_.title) $$;
create function label(row_ articles, prefix text default '', times int default 1) returns text language sql stable
  as $$ select repeat(prefix, times) || row_.title $$;
create function dear(row_ authors, floor_ numeric, hasura_session json) returns setof articles language sql stable
  as $$ select * from articles where author_id = row_.id and price >= floor_ $$;
create function search(word text, most int default 10) returns setof articles language sql stable
  as $$ select * from articles where title ilike '%' || word || '%' limit most $$;
create function rename(who int, to_ text) returns setof authors language sql volatile
  as $$ update authors set name = to_ where id = who returning * $$;
