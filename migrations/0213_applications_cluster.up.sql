do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'applications_cluster' and tgrelid = 'applications'::regclass) then
    create trigger applications_cluster before insert or update on applications for each row execute procedure northstack_application_cluster();
  end if;
end $$;
