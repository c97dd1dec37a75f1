-- Local users. The hash is Argon2id's, as PHC strings have it; scope is JSON, and everything where it is NULL.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    scope TEXT,
    hash TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL,
    signed_in INTEGER
) STRICT;

-- Browsers that are signed in, by the hash of their cookie.
CREATE TABLE session (
    hash TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    how TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

-- Who a token was made for when they signed in: user:alice.
ALTER TABLE token ADD COLUMN holder TEXT;
