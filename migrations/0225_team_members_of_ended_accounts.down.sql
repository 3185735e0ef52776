select 1; -- The column goes with the file that made it.
