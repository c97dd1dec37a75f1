-- What a machine was handed in a boot, for people to read later: its script, and its config with masks for secrets. It is kept of a
-- machine's newest boots.
CREATE TABLE boot_served (
    boot TEXT NOT NULL REFERENCES boot (id) ON DELETE CASCADE,
    part TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (boot, part)
);
