drop function if exists northstack_children_gone();
