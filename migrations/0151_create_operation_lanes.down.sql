drop table if exists operation_lanes;
