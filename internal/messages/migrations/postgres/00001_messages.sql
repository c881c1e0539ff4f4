-- +goose Up
-- All times are Unix milliseconds. Phone numbers and names of residents are not
-- kept here: who is told is looked up when it is time.

CREATE TABLE messages (
    id          UUID    NOT NULL PRIMARY KEY,
    person      TEXT    NOT NULL,
    for_person  TEXT    NOT NULL,
    -- Of guests, of whom there is no record.
    name        TEXT    NOT NULL,
    phone       TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    about       TEXT    NOT NULL,
    link        TEXT    NOT NULL,
    urgent      BOOLEAN NOT NULL,
    at          BIGINT  NOT NULL,
    not_after   BIGINT  NOT NULL,
    -- By language, JSON.
    text        TEXT    NOT NULL,
    short       TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    -- When it is to be sent. Who sends moves this ahead first, so that nobody
    -- else does meanwhile.
    due_at      BIGINT,
    attempts    BIGINT  NOT NULL,
    received_at BIGINT  NOT NULL,
    read_at     BIGINT,
    done_at     BIGINT,
    note        TEXT    NOT NULL
);

CREATE INDEX messages_of_person ON messages (person, received_at);
CREATE INDEX messages_for_person ON messages (for_person) WHERE for_person <> '';
CREATE INDEX messages_due ON messages (due_at) WHERE state = 'to-send';
CREATE INDEX messages_to_call ON messages (received_at) WHERE state = 'to-call';
CREATE INDEX messages_age ON messages (received_at);

-- What was received, so that what comes again is known.
CREATE TABLE received (
    id          UUID    NOT NULL PRIMARY KEY,
    received_at BIGINT  NOT NULL
);

CREATE INDEX received_age ON received (received_at);

CREATE TABLE preferences (
    person     TEXT    NOT NULL PRIMARY KEY,
    way        TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    changed_at BIGINT  NOT NULL
);

-- +goose Down
DROP TABLE preferences;
DROP TABLE received;
DROP TABLE messages;
