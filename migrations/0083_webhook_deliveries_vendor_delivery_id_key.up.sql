create unique index if not exists webhook_deliveries_vendor_delivery_id_key on webhook_deliveries (vendor, delivery_id);
