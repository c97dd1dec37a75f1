-- What machines said while they booted. The slot is the line's number, until the last slots are used over again: of a boot
-- that says too much, its first and its last lines are kept.
CREATE TABLE boot_console (
    boot     TEXT    NOT NULL REFERENCES boot (id) ON DELETE CASCADE,
    slot     BIGINT  NOT NULL,
    line     BIGINT  NOT NULL,
    at       BIGINT  NOT NULL,
    severity BIGINT,
    tag      TEXT,
    text     TEXT    NOT NULL,
    PRIMARY KEY (boot, slot)
);
