-- Where a machine is on the ladder: what was tried to have it boot, and why.
ALTER TABLE machine ADD COLUMN ladder TEXT;
