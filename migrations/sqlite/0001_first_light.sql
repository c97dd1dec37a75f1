-- What operators declare, newest revision of each; every revision stays in `revision`.
CREATE TABLE resource (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE revision (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    PRIMARY KEY (kind, name, revision)
) STRICT;

CREATE TABLE machine (
    id       TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    stage    TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    hold     TEXT,
    running  TEXT,
    facts    TEXT,
    facts_at INTEGER,
    seen     INTEGER,
    version  INTEGER NOT NULL
) STRICT;

CREATE TABLE machine_mac (
    mac     TEXT NOT NULL PRIMARY KEY,
    machine TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX machine_mac_machine ON machine_mac (machine);

CREATE TABLE lease (
    ip      TEXT    NOT NULL PRIMARY KEY,
    mac     TEXT,
    subnet  TEXT    NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE boot (
    id      TEXT    NOT NULL PRIMARY KEY,
    machine TEXT    NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
    started INTEGER NOT NULL,
    ended   INTEGER,
    data    TEXT    NOT NULL
) STRICT;
CREATE INDEX boot_machine ON boot (machine, started);
CREATE INDEX boot_open ON boot (ended) WHERE ended IS NULL;

-- One-time tokens for Ignition configs, as hashes.
CREATE TABLE boot_token (
    hash    TEXT    NOT NULL PRIMARY KEY,
    boot    TEXT    NOT NULL REFERENCES boot (id) ON DELETE CASCADE,
    address TEXT    NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER
) STRICT;
CREATE INDEX boot_token_boot ON boot_token (boot);

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    actor   TEXT    NOT NULL,
    boot    TEXT,
    message TEXT    NOT NULL,
    data    TEXT    NOT NULL
) STRICT;
CREATE INDEX event_object ON event (object, seq);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    before  TEXT,
    after   TEXT,
    request TEXT
) STRICT;

-- API tokens, as hashes.
CREATE TABLE token (
    id      TEXT    NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    role    TEXT    NOT NULL,
    hash    TEXT    NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT;
