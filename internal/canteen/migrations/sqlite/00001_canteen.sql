-- +goose Up
-- All times are Unix seconds, days are YYYY-MM-DD in the community's zone,
-- money is in fen.

CREATE TABLE canteens (
    name       TEXT    NOT NULL PRIMARY KEY,
    position   INTEGER NOT NULL,
    -- The canteen as the manifest has it, JSON.
    spec       TEXT    NOT NULL,
    retired_at INTEGER
) STRICT;

CREATE TABLE dishes (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    english_name TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    price        INTEGER NOT NULL CHECK (price >= 0),
    allergens    TEXT    NOT NULL, -- JSON
    tags         TEXT    NOT NULL, -- JSON
    nutrition    TEXT    NOT NULL, -- JSON
    photo        TEXT,
    retired_at   INTEGER,
    version      INTEGER NOT NULL
) STRICT;

CREATE TABLE photos (
    id         TEXT    NOT NULL PRIMARY KEY,
    media_type TEXT    NOT NULL,
    content    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE menus (
    canteen      TEXT    NOT NULL REFERENCES canteens (name),
    day          TEXT    NOT NULL,
    meal         TEXT    NOT NULL,
    published_at INTEGER,
    version      INTEGER NOT NULL,
    PRIMARY KEY (canteen, day, meal)
) STRICT, WITHOUT ROWID;

CREATE INDEX menus_of_day ON menus (day);

-- What can be ordered. The check is what keeps a dish from being sold twice;
-- nothing else does.
CREATE TABLE items (
    canteen       TEXT    NOT NULL,
    day           TEXT    NOT NULL,
    meal          TEXT    NOT NULL,
    dish          TEXT    NOT NULL REFERENCES dishes (id),
    position      INTEGER NOT NULL,
    price         INTEGER NOT NULL CHECK (price >= 0),
    stock         INTEGER NOT NULL,
    max_per_order INTEGER NOT NULL,
    taken         INTEGER NOT NULL CHECK (taken >= 0 AND taken <= stock),
    PRIMARY KEY (canteen, day, meal, dish)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id         TEXT    NOT NULL PRIMARY KEY,
    canteen    TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    meal       TEXT    NOT NULL,
    eater      TEXT    NOT NULL,
    ordered_by TEXT    NOT NULL,
    payer      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    phone      TEXT    NOT NULL,
    payment    TEXT    NOT NULL,
    lines      TEXT    NOT NULL, -- JSON
    way        TEXT    NOT NULL,
    home       TEXT    NOT NULL, -- JSON
    wish       TEXT    NOT NULL,
    tier       TEXT    NOT NULL,
    total      INTEGER NOT NULL,
    subsidy    INTEGER NOT NULL CHECK (subsidy >= 0 AND subsidy <= total),
    revision   INTEGER NOT NULL,
    next       TEXT,             -- JSON
    state      TEXT    NOT NULL,
    money      TEXT    NOT NULL,
    tried_at   INTEGER NOT NULL, -- when it was last tried to do what money says is due
    code       TEXT    NOT NULL,
    standing   TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at   INTEGER,
    paid_at    INTEGER
) STRICT;

-- One eater has one order for a meal of a day, wherever it is cooked.
CREATE UNIQUE INDEX orders_of_eater ON orders (day, meal, eater) WHERE state IN ('Placing', 'Placed', 'Served');
CREATE INDEX orders_of_sitting ON orders (canteen, day, meal, state);
CREATE INDEX orders_by_eater ON orders (eater, day, id);
CREATE INDEX orders_by_orderer ON orders (ordered_by, day, id);
CREATE INDEX orders_due ON orders (tried_at) WHERE money IN ('Holding', 'Capture', 'Release', 'Sale', 'Refund');
CREATE INDEX orders_live ON orders (day) WHERE state = 'Placed';

CREATE TABLE category_members (
    category TEXT NOT NULL,
    person   TEXT NOT NULL,
    PRIMARY KEY (category, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX category_members_of_person ON category_members (person);

-- What came of orders that are not kept any more, by the month of the meal.
CREATE TABLE past_orders (
    month   TEXT NOT NULL,
    tier    TEXT NOT NULL,
    orders  INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    subsidy INTEGER NOT NULL,
    PRIMARY KEY (month, tier)
) STRICT, WITHOUT ROWID;

-- Requests that were done, by the Idempotency-Key under which they came.
CREATE TABLE idempotency (
    person     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL, -- SHA-256, hex
    result     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (person, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (created_at);

-- +goose Down
DROP TABLE idempotency;
DROP TABLE past_orders;
DROP TABLE category_members;
DROP TABLE orders;
DROP TABLE items;
DROP TABLE menus;
DROP TABLE photos;
DROP TABLE dishes;
DROP TABLE canteens;
