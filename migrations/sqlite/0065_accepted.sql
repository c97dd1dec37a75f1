-- What accepted a machine that nobody declared, as JSON: a rule, or that it was expected.
ALTER TABLE machine ADD COLUMN accepted TEXT;
