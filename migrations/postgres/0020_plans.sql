-- The set of files that a resource was applied from last: `apply --prune` deletes what is in it no more.
CREATE TABLE source (
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- What whoever made a revision said of it.
ALTER TABLE revision ADD COLUMN message TEXT;
