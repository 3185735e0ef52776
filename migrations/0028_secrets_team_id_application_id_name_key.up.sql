create unique index if not exists secrets_team_id_application_id_name_key on secrets (team_id, coalesce(application_id, '00000000-0000-0000-0000-000000000000'::uuid), name) where deleted_at is null;
