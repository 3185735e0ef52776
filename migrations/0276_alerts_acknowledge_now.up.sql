do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'alerts_acknowledge_now' and tgrelid = 'alerts'::regclass) then
    create trigger alerts_acknowledge_now before update of acknowledged_at on alerts
      for each row execute procedure northstack_acknowledge_now();
  end if;
end $$;
