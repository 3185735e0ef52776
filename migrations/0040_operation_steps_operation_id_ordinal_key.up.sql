create unique index if not exists operation_steps_operation_id_ordinal_key on operation_steps (operation_id, ordinal);
