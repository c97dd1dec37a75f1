-- What operators declare, newest revision of each; every revision stays in `revision`.
CREATE TABLE resource (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    revision BIGINT NOT NULL,
    updated  BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE revision (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision BIGINT NOT NULL,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    created  BIGINT NOT NULL,
    actor    TEXT    NOT NULL,
    PRIMARY KEY (kind, name, revision)
);

CREATE TABLE machine (
    id       TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    labels   TEXT    NOT NULL,
    spec     TEXT    NOT NULL,
    stage    TEXT    NOT NULL,
    since    BIGINT NOT NULL,
    hold     TEXT,
    running  TEXT,
    facts    TEXT,
    facts_at BIGINT,
    seen     BIGINT,
    version  BIGINT NOT NULL
);

CREATE TABLE machine_mac (
    mac     TEXT NOT NULL PRIMARY KEY,
    machine TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE
);
CREATE INDEX machine_mac_machine ON machine_mac (machine);

CREATE TABLE lease (
    ip      TEXT    NOT NULL PRIMARY KEY,
    mac     TEXT,
    subnet  TEXT    NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE boot (
    id      TEXT    NOT NULL PRIMARY KEY,
    machine TEXT    NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
    started BIGINT NOT NULL,
    ended   BIGINT,
    data    TEXT    NOT NULL
);
CREATE INDEX boot_machine ON boot (machine, started);
CREATE INDEX boot_open ON boot (ended) WHERE ended IS NULL;

-- One-time tokens for Ignition configs, as hashes.
CREATE TABLE boot_token (
    hash    TEXT    NOT NULL PRIMARY KEY,
    boot    TEXT    NOT NULL REFERENCES boot (id) ON DELETE CASCADE,
    address TEXT    NOT NULL,
    expires BIGINT NOT NULL,
    used    BIGINT
);
CREATE INDEX boot_token_boot ON boot_token (boot);

CREATE TABLE event (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      TEXT    NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    actor   TEXT    NOT NULL,
    boot    TEXT,
    message TEXT    NOT NULL,
    data    TEXT    NOT NULL
);
CREATE INDEX event_object ON event (object, seq);

CREATE TABLE audit (
    seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    object  TEXT    NOT NULL,
    before  TEXT,
    after   TEXT,
    request TEXT
);

-- API tokens, as hashes.
CREATE TABLE token (
    id      TEXT    NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    role    TEXT    NOT NULL,
    hash    TEXT    NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    expires BIGINT
);
