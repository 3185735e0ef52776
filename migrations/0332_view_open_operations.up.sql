-- The operations that go on by themselves: neither ended nor failed. What every query means by an open one; a claim, an
-- update and a lock go through it to the table and its partial indexes.
create or replace view open_operations as
  select * from operations where status in ('queued', 'running', 'waiting');
