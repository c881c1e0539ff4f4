-- +goose Up
-- What meals brought in, less what was given back, by the day under which the
-- ledger has it; subsidies by tier, of nobody in particular.
CREATE TABLE takings (
    day     TEXT   NOT NULL,
    tier    TEXT   NOT NULL,
    orders  BIGINT NOT NULL,
    total   BIGINT NOT NULL,
    subsidy BIGINT NOT NULL,
    PRIMARY KEY (day, tier)
);

-- How many eaters these are in a month: a tier of few is nobody's to see alone.
CREATE TABLE takings_eaters (
    month  TEXT   NOT NULL,
    tier   TEXT   NOT NULL,
    eaters BIGINT NOT NULL,
    PRIMARY KEY (month, tier)
);

-- The day under which an order's money is among the takings.
ALTER TABLE orders ADD COLUMN taken_on TEXT;

DROP TABLE past_orders;

-- +goose Down
CREATE TABLE past_orders (
    month   TEXT   NOT NULL,
    tier    TEXT   NOT NULL,
    orders  BIGINT NOT NULL,
    total   BIGINT NOT NULL,
    subsidy BIGINT NOT NULL,
    PRIMARY KEY (month, tier)
);
ALTER TABLE orders DROP COLUMN taken_on;
DROP TABLE takings_eaters;
DROP TABLE takings;
