-- +goose Up
CREATE TABLE standing_orders (
    id         UUID   NOT NULL PRIMARY KEY,
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
    since      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    paused_at  BIGINT,
    ended_at   BIGINT,
    ending     TEXT   NOT NULL
);

CREATE INDEX standing_orders_of_eater ON standing_orders (eater, id);
CREATE INDEX standing_orders_of_orderer ON standing_orders (ordered_by);
CREATE INDEX standing_orders_live ON standing_orders (id) WHERE ended_at IS NULL AND paused_at IS NULL;

CREATE TABLE standing_skips (
    standing UUID NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day      TEXT NOT NULL,
    PRIMARY KEY (standing, day)
);

-- What was done for a day, written with the order that it made. The key is what
-- keeps a day from being ordered twice; nothing else does.
CREATE TABLE standing_days (
    standing UUID   NOT NULL REFERENCES standing_orders (id) ON DELETE CASCADE,
    day      TEXT   NOT NULL,
    outcome  TEXT   NOT NULL,
    order_id UUID,
    at       BIGINT NOT NULL,
    PRIMARY KEY (standing, day)
);

CREATE INDEX standing_days_of_day ON standing_days (day);

-- +goose Down
DROP TABLE standing_days;
DROP TABLE standing_skips;
DROP TABLE standing_orders;
