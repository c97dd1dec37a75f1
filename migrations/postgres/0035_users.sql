-- Local users. The hash is Argon2id's, as PHC strings have it; scope is JSON, and everything where it is NULL.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    scope TEXT,
    hash TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    created BIGINT NOT NULL,
    signed_in BIGINT
);

-- Browsers that are signed in, by the hash of their cookie.
CREATE TABLE session (
    hash TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    how TEXT NOT NULL,
    role TEXT NOT NULL,
    scope TEXT,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- Who a token was made for when they signed in: user:alice.
ALTER TABLE token ADD COLUMN holder TEXT;
