-- No revision below it is given: those that were given after a backup may be in the cluster when it is put back.
alter table applications add column if not exists least_revision integer not null default 1;
