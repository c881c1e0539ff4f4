-- +goose Up
-- The record: rows are added, never changed and never removed.
CREATE TABLE audit (
    seq    INTEGER NOT NULL PRIMARY KEY, -- from 1, without a gap
    at     INTEGER NOT NULL,             -- Unix milliseconds
    action TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    person TEXT    NOT NULL,
    object TEXT    NOT NULL,
    detail TEXT    NOT NULL,             -- JSON object of strings
    hash   TEXT    NOT NULL              -- SHA-256 over the hash before and the columns above, hex
) STRICT;

CREATE INDEX audit_of_person ON audit (person, seq) WHERE person <> '';

-- The last row of the record. Whoever adds one changes this first, so that two
-- at the same time wait for one another.
CREATE TABLE audit_head (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash TEXT    NOT NULL
) STRICT;

INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');

-- +goose Down
DROP TABLE audit_head;
DROP TABLE audit;
