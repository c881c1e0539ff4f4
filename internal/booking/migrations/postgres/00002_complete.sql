-- +goose Up
-- Approval, check-in, changes, series, the waiting list, closures, members,
-- calendars and use. All times are Unix seconds.

ALTER TABLE venues ADD COLUMN places TEXT NOT NULL DEFAULT '{}'; -- numbers of the attendants' places by name, JSON
ALTER TABLE venues ADD COLUMN door_code TEXT NOT NULL DEFAULT '';

DROP INDEX bookings_live;
ALTER TABLE bookings RENAME COLUMN cancelled_at TO ended_at;
ALTER TABLE bookings ADD COLUMN booked_by TEXT NOT NULL DEFAULT '';
ALTER TABLE bookings ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE bookings ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE bookings ADD COLUMN state TEXT NOT NULL DEFAULT 'booked';
ALTER TABLE bookings ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE bookings ADD COLUMN series UUID;
ALTER TABLE bookings ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bookings ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bookings ADD COLUMN checked_in_at BIGINT;
ALTER TABLE bookings ADD COLUMN due_at BIGINT; -- when a hold, a request or the wait for a check-in ends
ALTER TABLE bookings ADD COLUMN busy_until BIGINT NOT NULL DEFAULT 0; -- end and buffer
UPDATE bookings SET booked_by = person, busy_until = end_at, updated_at = COALESCE(ended_at, created_at),
    state = CASE WHEN ended_at IS NULL THEN 'booked' ELSE 'cancelled' END;

-- A day at a glance is read from this index alone.
CREATE INDEX bookings_live ON bookings (venue, start_at, busy_until, place, ended_at) WHERE ended_at IS NULL;
CREATE INDEX bookings_of_day ON bookings (day);
CREATE INDEX bookings_of_series ON bookings (series) WHERE series IS NOT NULL;
CREATE INDEX bookings_due ON bookings (due_at) WHERE due_at IS NOT NULL;

-- A row for every booking that counts against a limit of a person: of a day
-- (2026-11-23) or of a week (2026-W48). Ordinals go from 1 to the limit, so the
-- primary key keeps it.
ALTER TABLE daily RENAME TO quotas;
ALTER TABLE quotas RENAME COLUMN day TO period;

ALTER TABLE idempotency RENAME COLUMN booking TO result; -- the id of a booking or a series

-- Who waits for a span at a venue, in the order of joining.
CREATE TABLE waiting (
    id         UUID NOT NULL PRIMARY KEY,
    venue      TEXT NOT NULL REFERENCES venues (name),
    place      BIGINT NOT NULL, -- 0 is any
    person     TEXT NOT NULL,
    booked_by  TEXT NOT NULL,
    name       TEXT NOT NULL,
    phone      TEXT NOT NULL,
    by_staff   BOOLEAN NOT NULL, -- a member of staff put the person on the list
    start_at   BIGINT NOT NULL,
    end_at     BIGINT NOT NULL,
    joined_at  BIGINT NOT NULL,
    state      TEXT NOT NULL, -- waiting, offered, accepted, left, expired
    booking    UUID -- the hold that was offered
);

CREATE UNIQUE INDEX waiting_once ON waiting (venue, person, start_at, end_at, place) WHERE state IN ('waiting', 'offered');
CREATE INDEX waiting_in_order ON waiting (venue, joined_at, id) WHERE state = 'waiting';
CREATE INDEX waiting_of_person ON waiting (person, start_at);
CREATE INDEX waiting_of_booking ON waiting (booking) WHERE booking IS NOT NULL;
CREATE INDEX waiting_ended ON waiting (end_at);

-- Spans during which nothing can be booked.
CREATE TABLE closures (
    id         UUID NOT NULL PRIMARY KEY,
    venue      TEXT NOT NULL REFERENCES venues (name),
    place      BIGINT NOT NULL, -- 0 is every place
    start_at   BIGINT NOT NULL,
    end_at     BIGINT NOT NULL,
    reason     TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);

CREATE INDEX closures_of_venue ON closures (venue, end_at) WHERE ended_at IS NULL;

-- Who may book at venues for members.
CREATE TABLE members (
    venue    TEXT NOT NULL REFERENCES venues (name),
    person   TEXT NOT NULL,
    name     TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (venue, person)
);

-- Addresses at which calendars fetch a person's bookings, as digests.
CREATE TABLE feeds (
    person     TEXT NOT NULL PRIMARY KEY,
    digest     TEXT NOT NULL UNIQUE, -- SHA-256 of the address' secret, hex
    language   TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- What erased bookings leave behind: numbers by venue, month and state.
CREATE TABLE past_use (
    venue    TEXT NOT NULL,
    month    TEXT NOT NULL, -- YYYY-MM
    state    TEXT NOT NULL,
    bookings BIGINT NOT NULL,
    minutes  BIGINT NOT NULL,
    PRIMARY KEY (venue, month, state)
);

-- +goose Down
DROP TABLE past_use;
DROP TABLE feeds;
DROP TABLE members;
DROP TABLE closures;
DROP TABLE waiting;
ALTER TABLE idempotency RENAME COLUMN result TO booking;
ALTER TABLE quotas RENAME COLUMN period TO day;
DELETE FROM quotas WHERE day LIKE '%W%';
ALTER TABLE quotas RENAME TO daily;
DROP INDEX bookings_due;
DROP INDEX bookings_of_series;
DROP INDEX bookings_of_day;
DROP INDEX bookings_live;
ALTER TABLE bookings DROP COLUMN busy_until;
ALTER TABLE bookings DROP COLUMN due_at;
ALTER TABLE bookings DROP COLUMN checked_in_at;
ALTER TABLE bookings DROP COLUMN updated_at;
ALTER TABLE bookings DROP COLUMN sequence;
ALTER TABLE bookings DROP COLUMN series;
ALTER TABLE bookings DROP COLUMN reason;
ALTER TABLE bookings DROP COLUMN state;
ALTER TABLE bookings DROP COLUMN phone;
ALTER TABLE bookings DROP COLUMN name;
ALTER TABLE bookings DROP COLUMN booked_by;
ALTER TABLE bookings RENAME COLUMN ended_at TO cancelled_at;
CREATE INDEX bookings_live ON bookings (venue, start_at, end_at, place, cancelled_at) WHERE cancelled_at IS NULL;
ALTER TABLE venues DROP COLUMN door_code;
ALTER TABLE venues DROP COLUMN places;
