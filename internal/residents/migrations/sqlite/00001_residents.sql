-- +goose Up
-- All times are Unix seconds, days are YYYY-MM-DD in the community's zone.
-- What is not known of a person is an empty text.

CREATE TABLE people (
    id            TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL, -- Resident or External
    name          TEXT    NOT NULL,
    latin_name    TEXT    NOT NULL,
    phone         TEXT    NOT NULL,
    born_on       TEXT    NOT NULL,
    relation      TEXT    NOT NULL, -- to the head of the household
    estate        TEXT    NOT NULL,
    building      TEXT    NOT NULL,
    unit          TEXT    NOT NULL,
    room          TEXT    NOT NULL,
    subject       TEXT    NOT NULL, -- who signs in as this person; empty if nobody does
    manifest      TEXT,             -- the name among the manifest's managers
    moved_away_at INTEGER,
    erasing_at    INTEGER,
    signed_in_at  INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX people_name ON people (name, id);
CREATE INDEX people_phone ON people (phone) WHERE phone <> '';
CREATE INDEX people_subject ON people (subject) WHERE subject <> '';
CREATE INDEX people_home ON people (estate, building, unit, room) WHERE room <> '';
CREATE UNIQUE INDEX people_manifest ON people (manifest);
CREATE INDEX people_moved_away ON people (moved_away_at) WHERE moved_away_at IS NOT NULL;
CREATE INDEX people_erasing ON people (erasing_at) WHERE erasing_at IS NOT NULL;

-- Duties by who gave them: the manifest or a manager. Both may have.
CREATE TABLE duties (
    person     TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    duty       TEXT    NOT NULL,
    origin     TEXT    NOT NULL, -- Manifest or Manager
    granted_by TEXT    NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (person, duty, origin)
) STRICT, WITHOUT ROWID;

-- Codes that let who knows them become or act for a person, once.
CREATE TABLE codes (
    hash       TEXT    NOT NULL PRIMARY KEY, -- SHA-256, hex
    kind       TEXT    NOT NULL, -- Invitation or Acting
    person     TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    scopes     TEXT    NOT NULL,
    until      TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_person ON codes (person);

-- How often somebody has tried something on a day.
CREATE TABLE tries (
    subject TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (subject, kind, day)
) STRICT, WITHOUT ROWID;

-- What people ask of the staff: to join, to correct a record, to act for
-- somebody. When it is answered, what was typed is taken out if it was granted.
CREATE TABLE requests (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL, -- who asks; of those who ask to join
    person     TEXT,             -- who asks; of those who are known
    details    TEXT    NOT NULL, -- what was typed, JSON
    note       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER,
    decided_by TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX requests_open ON requests (kind, subject) WHERE state = 'Open' AND subject <> '';
CREATE UNIQUE INDEX requests_open_of_person ON requests (kind, person) WHERE state = 'Open' AND person IS NOT NULL;
CREATE INDEX requests_state ON requests (state, created_at);
CREATE INDEX requests_person ON requests (person);

CREATE TABLE documents (
    id           TEXT    NOT NULL PRIMARY KEY,
    person       TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    content_type TEXT    NOT NULL,
    content      BLOB    NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX documents_person ON documents (person);

-- Who acts for whom.
CREATE TABLE acting (
    id          TEXT    NOT NULL PRIMARY KEY,
    actor       TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    represented TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    scopes      TEXT    NOT NULL, -- separated by commas
    basis       TEXT    NOT NULL, -- Own, Paper or Parent
    until       TEXT    NOT NULL, -- the last day; empty for none
    document    TEXT    REFERENCES documents (id) ON DELETE SET NULL,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    ended_by    TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX acting_once ON acting (actor, represented) WHERE ended_at IS NULL;
CREATE INDEX acting_represented ON acting (represented);

-- What people have agreed to. A row is never changed but by its withdrawal.
CREATE TABLE consents (
    id           TEXT    NOT NULL PRIMARY KEY,
    person       TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    purpose      TEXT    NOT NULL,
    basis        TEXT    NOT NULL, -- Page or Paper
    document     TEXT    REFERENCES documents (id) ON DELETE SET NULL,
    given_by     TEXT    NOT NULL, -- who noted it
    given_at     INTEGER NOT NULL,
    withdrawn_by TEXT    NOT NULL,
    withdrawn_at INTEGER
) STRICT;

CREATE UNIQUE INDEX consents_once ON consents (person, purpose) WHERE withdrawn_at IS NULL;
CREATE INDEX consents_person ON consents (person);

-- Imports that were read and not yet confirmed, and what became of those that
-- were, whose rows are then taken out.
CREATE TABLE drafts (
    id           TEXT    NOT NULL PRIMARY KEY,
    rows         TEXT    NOT NULL, -- JSON
    added        INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    skipped      INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER
) STRICT;

-- +goose Down
DROP TABLE drafts;
DROP TABLE consents;
DROP TABLE acting;
DROP TABLE documents;
DROP TABLE requests;
DROP TABLE tries;
DROP TABLE codes;
DROP TABLE duties;
DROP TABLE people;
