drop index if exists applications_place_key;
