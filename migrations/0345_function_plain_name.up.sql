-- Whether a name is one line that reads as it is written: no control characters, and none of those that end a line or
-- turn the direction of the text, by which one name looks like another.
create or replace function northstack_plain_name(p_name text) returns boolean language sql immutable as $$
  select p_name !~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]'
$$;
