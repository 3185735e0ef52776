drop function if exists northstack_operation_waits_for(operations);
