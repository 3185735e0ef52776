drop index if exists stores_store_id_key;
