-- How far each webhook is in the events, who sends for it, and whether its receiver wants no more.
CREATE TABLE webhook (
    name      TEXT NOT NULL PRIMARY KEY,
    seen      INTEGER NOT NULL,
    holder    TEXT NOT NULL,
    held      INTEGER NOT NULL,
    paused    TEXT
) STRICT;

-- What webhooks are told: one row for each webhook and event, with the text that is sent and the last tries.
CREATE TABLE delivery (
    webhook  TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    id       TEXT NOT NULL,
    event    TEXT NOT NULL,
    object   TEXT NOT NULL,
    body     TEXT NOT NULL,
    state    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    done     INTEGER,
    tries    INTEGER NOT NULL,
    attempts TEXT NOT NULL,
    PRIMARY KEY (webhook, seq)
) STRICT;
CREATE INDEX delivery_state ON delivery (state, webhook, object, seq);
CREATE INDEX delivery_id ON delivery (webhook, id);
