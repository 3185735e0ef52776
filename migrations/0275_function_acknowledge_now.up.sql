create or replace function northstack_acknowledge_now() returns trigger language plpgsql as $$
begin
  if new.acknowledged_at is not null and new.acknowledged_at is distinct from old.acknowledged_at then
    new.acknowledged_at := now();
  end if;
  return new;
end $$;
