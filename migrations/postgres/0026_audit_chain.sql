-- Each row of the audit log holds a hash over itself and the hash before it; rows from before this have none.
ALTER TABLE audit ADD COLUMN remote TEXT;
ALTER TABLE audit ADD COLUMN hash TEXT;
CREATE INDEX audit_object ON audit (object, seq);

-- Where the chain ends: the last row that is gone is missed too. Whoever writes locks this row.
CREATE TABLE audit_head (
    one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    rows BIGINT NOT NULL,
    hash TEXT    NOT NULL
);
INSERT INTO audit_head (one, rows, hash) VALUES (1, 0, '');
