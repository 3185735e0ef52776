create unique index if not exists stores_store_id_key on stores (store_id);
