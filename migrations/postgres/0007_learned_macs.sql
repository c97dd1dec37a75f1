-- MACs that a machine booted from and that were not declared: it was known by its UUID or its serial number.
ALTER TABLE machine ADD COLUMN learned TEXT;
