drop index if exists applications_settings_host_key;
