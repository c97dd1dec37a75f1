-- How a machine's firmware wants to be told of its boot program, where it had to be found out.
ALTER TABLE machine ADD COLUMN reply TEXT;
