-- IPv6 addresses that clients were told they have. The holder is an interface's MAC, or a DUID and the number of its association.
CREATE TABLE lease6 (
    ip      TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT,
    subnet  TEXT    NOT NULL,
    expires BIGINT  NOT NULL
);

CREATE INDEX lease6_holder ON lease6 (holder);
