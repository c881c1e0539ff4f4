-- +goose Up
-- All times are Unix milliseconds. Phone numbers stand here only sealed, or as
-- an HMAC; what somebody else holds (cookies, codes) only as a digest.

CREATE TABLE secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);

CREATE TABLE signing_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    sealed     TEXT    NOT NULL,
    signs_from BIGINT NOT NULL
);

CREATE TABLE accounts (
    id         TEXT    NOT NULL PRIMARY KEY,
    number     TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL, -- 0: it is open
    -- Of staff only; empty for others.
    password   TEXT    NOT NULL,
    totp       TEXT    NOT NULL,
    totp_step  BIGINT NOT NULL, -- the last one that was used
    wrong      BIGINT NOT NULL,
    wait_until BIGINT NOT NULL
);

-- A number opens one account.
CREATE UNIQUE INDEX accounts_open ON accounts (number) WHERE closed_at = 0;

CREATE TABLE attempts (
    id            TEXT    NOT NULL PRIMARY KEY,
    client        TEXT    NOT NULL,
    redirect_uri  TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    nonce         TEXT    NOT NULL,
    challenge     TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    acr           TEXT    NOT NULL,
    step          TEXT    NOT NULL,
    phone         TEXT    NOT NULL,
    account       TEXT    NOT NULL,
    code          TEXT    NOT NULL,
    code_until    BIGINT NOT NULL,
    wrong         BIGINT NOT NULL,
    password      TEXT    NOT NULL,
    totp          TEXT    NOT NULL,
    granted       TEXT    NOT NULL,
    granted_until BIGINT NOT NULL,
    signed_in_at  BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE INDEX attempts_granted ON attempts (granted);
CREATE INDEX attempts_created ON attempts (created_at);

-- A row for every code that was sent, for the limits.
CREATE TABLE sends (
    id      TEXT    NOT NULL PRIMARY KEY,
    number  TEXT    NOT NULL,
    address TEXT    NOT NULL,
    at      BIGINT NOT NULL
);

CREATE INDEX sends_of_number ON sends (number, at);
CREATE INDEX sends_of_address ON sends (address, at);
CREATE INDEX sends_at ON sends (at);

-- Assertions by which departments have proven themselves: each is good once.
CREATE TABLE assertions (
    id    TEXT    NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
