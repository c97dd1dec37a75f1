-- When a token was used last, to the minute.
ALTER TABLE token ADD COLUMN used BIGINT;
