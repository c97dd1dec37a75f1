-- Which kinds and labels a token is good for, as JSON; everything where it is NULL.
ALTER TABLE token ADD COLUMN scope TEXT;
