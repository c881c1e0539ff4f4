-- +goose Up
-- Payments into purses that are made elsewhere.
CREATE TABLE payments (
    id             UUID   NOT NULL PRIMARY KEY,
    purse          UUID   NOT NULL REFERENCES purses (id),
    person         TEXT   NOT NULL, -- whose purse it is
    payer          TEXT   NOT NULL, -- who has asked for it
    amount         BIGINT NOT NULL CHECK (amount > 0),
    channel        TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    address        TEXT   NOT NULL, -- where it is paid; empty if that is not known yet
    number         TEXT   NOT NULL, -- the provider's, once it is paid
    transaction_id UUID   REFERENCES transactions (id),
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    check_at       BIGINT NOT NULL, -- when to ask the provider next
    key            TEXT   NOT NULL,
    UNIQUE (payer, key)
);

CREATE INDEX payments_pending ON payments (check_at) WHERE state = 'Pending';
CREATE INDEX payments_purse ON payments (purse) WHERE state = 'Pending';
CREATE INDEX payments_person ON payments (person);
CREATE INDEX payments_created ON payments (created_at);

-- +goose Down
DROP TABLE payments;
