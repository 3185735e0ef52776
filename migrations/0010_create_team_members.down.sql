drop table if exists team_members;
