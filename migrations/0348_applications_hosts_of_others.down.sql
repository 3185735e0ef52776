select 1; -- What was taken is not known any more.
