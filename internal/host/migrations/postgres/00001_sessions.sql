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
    staff      BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    seen_at    BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);

CREATE INDEX sessions_of_subject ON sessions (subject);
CREATE INDEX sessions_expired ON sessions (expires_at);
