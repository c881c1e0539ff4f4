-- +goose Up
-- Money is in fen, times are Unix seconds, days YYYY-MM-DD in the community's
-- zone.

CREATE TABLE purses (
    id        TEXT    NOT NULL PRIMARY KEY,
    person    TEXT    UNIQUE,  -- whose it is; null if it is nobody's any more
    opened_at INTEGER NOT NULL,
    told_low  INTEGER NOT NULL -- 1 if the person was told that it is nearly empty
) STRICT;

CREATE TABLE accounts (
    name    TEXT    NOT NULL PRIMARY KEY,
    balance INTEGER NOT NULL, -- the sum of its postings
    held    INTEGER NOT NULL, -- the sum of its holds that stand
    CHECK (held >= 0 AND (held <= balance OR held = 0)),
    CHECK (balance >= 0 OR name NOT LIKE 'purse/%')
) STRICT, WITHOUT ROWID;

INSERT INTO accounts (name, balance, held) VALUES ('cash', 0, 0), ('wechat', 0, 0);

CREATE TABLE transactions (
    id           TEXT    NOT NULL PRIMARY KEY,
    at           INTEGER NOT NULL,
    day          TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    about        TEXT    NOT NULL,
    memo         TEXT    NOT NULL, -- JSON, by language
    actor        TEXT    NOT NULL,
    purse        TEXT    REFERENCES purses (id),
    receipt_year INTEGER,
    receipt      INTEGER,
    reverses     TEXT    UNIQUE REFERENCES transactions (id),
    reason       TEXT    NOT NULL,
    caller       TEXT    NOT NULL, -- with key: what is done once
    key          TEXT    NOT NULL,
    request      TEXT    NOT NULL, -- a digest of what was asked for
    UNIQUE (caller, key),
    UNIQUE (receipt_year, receipt)
) STRICT;

CREATE INDEX transactions_day ON transactions (day);

CREATE TABLE postings (
    transaction_id TEXT    NOT NULL REFERENCES transactions (id),
    account        TEXT    NOT NULL REFERENCES accounts (name),
    day            TEXT    NOT NULL,
    amount         INTEGER NOT NULL CHECK (amount <> 0),
    balance        INTEGER NOT NULL, -- of the account, after it
    PRIMARY KEY (transaction_id, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX postings_account ON postings (account, day);

-- The last number of a receipt in a year.
CREATE TABLE receipts (
    year INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;

CREATE TABLE holds (
    service           TEXT    NOT NULL,
    id                TEXT    NOT NULL,
    person            TEXT    NOT NULL,
    purse             TEXT    REFERENCES purses (id), -- null of one that was released before it was
    revision          INTEGER NOT NULL,
    amount            INTEGER NOT NULL CHECK (amount >= 0),
    refused_revision  INTEGER NOT NULL,
    refused_available INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    expires_at        INTEGER NOT NULL,
    about             TEXT    NOT NULL,
    memo              TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    ended_at          INTEGER,
    captured          INTEGER NOT NULL,
    subsidy           INTEGER NOT NULL,
    transaction_id    TEXT    REFERENCES transactions (id),
    PRIMARY KEY (service, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_standing ON holds (purse) WHERE state = 'Held';
CREATE INDEX holds_due ON holds (expires_at) WHERE state = 'Held';
CREATE INDEX holds_person ON holds (person) WHERE person <> '';
CREATE INDEX holds_ended ON holds (ended_at) WHERE state <> 'Captured';

-- What services took, and what of it was given back.
CREATE TABLE taken (
    service          TEXT    NOT NULL,
    name             TEXT    NOT NULL, -- holds/<id> or sales/<id>
    person           TEXT    NOT NULL,
    amount           INTEGER NOT NULL,
    subsidy          INTEGER NOT NULL,
    refunded         INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND amount),
    refunded_subsidy INTEGER NOT NULL CHECK (refunded_subsidy BETWEEN 0 AND subsidy),
    transaction_id   TEXT    REFERENCES transactions (id),
    request          TEXT    NOT NULL,
    PRIMARY KEY (service, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX taken_person ON taken (person) WHERE person <> '';

CREATE TABLE refunds (
    service        TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    transaction_id TEXT    REFERENCES transactions (id),
    request        TEXT    NOT NULL,
    PRIMARY KEY (service, id)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE refunds;
DROP TABLE taken;
DROP TABLE holds;
DROP TABLE receipts;
DROP TABLE postings;
DROP TABLE transactions;
DROP TABLE accounts;
DROP TABLE purses;
