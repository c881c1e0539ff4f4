-- +goose Up
-- All times are Unix seconds.

-- Browsers in which somebody is signed in.
CREATE TABLE sessions (
    -- The hash of the secret in the cookie.
    id         TEXT    NOT NULL PRIMARY KEY,
    subject    TEXT    NOT NULL,
    -- The number that the issuer has verified, for who asks to join.
    phone      TEXT    NOT NULL,
    person     TEXT    NOT NULL,
    staff      INTEGER NOT NULL CHECK (staff IN (0, 1)),
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_of_subject ON sessions (subject);
CREATE INDEX sessions_expired ON sessions (expires_at);
