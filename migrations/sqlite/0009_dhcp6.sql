-- IPv6 addresses that clients were told they have. The holder is an interface's MAC, or a DUID and the number of its association.
CREATE TABLE lease6 (
    ip      TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT,
    subnet  TEXT    NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE INDEX lease6_holder ON lease6 (holder);
