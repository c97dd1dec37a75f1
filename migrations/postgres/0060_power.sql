-- Whether a machine is on, as its BMC says, what is asked of that, and how far the timeline has followed the BMC's log.
ALTER TABLE machine ADD COLUMN power TEXT;
