-- +goose Up
CREATE TABLE standing_orders (
    id         TEXT   NOT NULL PRIMARY KEY,
    canteen    TEXT   NOT NULL,
    meal       TEXT   NOT NULL,
    eater      TEXT   NOT NULL,
    ordered_by TEXT   NOT NULL,
    payer      TEXT   NOT NULL,
    payment    TEXT   NOT NULL,
    weekdays   TEXT   NOT NULL, -- JSON
    first_day  TEXT   NOT NULL,
    last_day   TEXT   NOT NULL, -- empty if there is none
    dishes     TEXT   NOT NULL, -- JSON
    way        TEXT   NOT NULL,
    wish       TEXT   NOT NULL,
    since      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    paused_at  INTEGER,
    ended_at   INTEGER,
    ending     TEXT   NOT NULL
) STRICT;

CREATE INDEX standing_orders_of_eater ON standing_orders (eater, id);
CREATE INDEX standing_orders_of_orderer ON standing_orders (ordered_by);
CREATE INDEX standing_orders_live ON standing_orders (id) WHERE ended_at IS NULL AND paused_at IS NULL;

CREATE TABLE standing_skips (
    standing TEXT NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day      TEXT NOT NULL,
    PRIMARY KEY (standing, day)
) STRICT;

-- What was done for a day, written with the order that it made. The key is what
-- keeps a day from being ordered twice; nothing else does.
CREATE TABLE standing_days (
    standing TEXT   NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day      TEXT   NOT NULL,
    outcome  TEXT   NOT NULL,
    order_id TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (standing, day)
) STRICT;

CREATE INDEX standing_days_of_day ON standing_days (day);

-- +goose Down
DROP TABLE standing_days;
DROP TABLE standing_skips;
DROP TABLE standing_orders;
