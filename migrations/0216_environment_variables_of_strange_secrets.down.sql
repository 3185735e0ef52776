select 1; -- What was unbound stays unbound.
