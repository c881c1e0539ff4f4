-- +goose Up
-- All times are Unix seconds, days are YYYY-MM-DD in the community's zone.

CREATE TABLE venues (
    name       TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,
    -- The venue as the manifest has it, JSON.
    spec       TEXT    NOT NULL,
    retired_at INTEGER
) STRICT;

CREATE TABLE bookings (
    id           TEXT    NOT NULL PRIMARY KEY,
    venue        TEXT    NOT NULL REFERENCES venues (name),
    place        INTEGER NOT NULL,
    person       TEXT    NOT NULL,
    start_at     INTEGER NOT NULL,
    end_at       INTEGER NOT NULL,
    day          TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    cancelled_at INTEGER
) STRICT;

-- A day at a glance is read from this index alone.
CREATE INDEX bookings_live ON bookings (venue, start_at, end_at, place, cancelled_at) WHERE cancelled_at IS NULL;
CREATE INDEX bookings_of_person ON bookings (person, start_at, id);
CREATE INDEX bookings_ended ON bookings (venue, end_at);

-- A row for every five minutes that a live booking holds a place. The primary
-- key is what keeps bookings apart; nothing else does.
CREATE TABLE cells (
    venue TEXT    NOT NULL,
    cell  INTEGER NOT NULL, -- Unix seconds / 300
    place INTEGER NOT NULL,
    PRIMARY KEY (venue, cell, place)
) STRICT, WITHOUT ROWID;

-- A row for every live booking of a person on a day. Ordinals go from 1 to the
-- venue's daily limit, so the primary key keeps the limit.
CREATE TABLE daily (
    venue   TEXT    NOT NULL,
    person  TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    ordinal INTEGER NOT NULL,
    booking TEXT    NOT NULL,
    PRIMARY KEY (venue, person, day, ordinal)
) STRICT, WITHOUT ROWID;

-- Requests that were done, by the Idempotency-Key under which they came.
CREATE TABLE idempotency (
    person     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL, -- SHA-256, hex
    booking    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (person, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (created_at);

-- +goose Down
DROP TABLE idempotency;
DROP TABLE daily;
DROP TABLE cells;
DROP TABLE bookings;
DROP TABLE venues;
