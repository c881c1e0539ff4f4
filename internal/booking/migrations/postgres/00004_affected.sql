-- +goose Up
-- The bookings that gave way to a closure, with the time and place that they
-- had before: the list of those to call.

CREATE TABLE affected (
    closure  UUID NOT NULL,
    booking  UUID NOT NULL,
    place    BIGINT NOT NULL,
    start_at BIGINT NOT NULL,
    end_at   BIGINT NOT NULL,
    PRIMARY KEY (closure, booking)
);

CREATE INDEX affected_ended ON affected (end_at);

-- +goose Down
DROP TABLE affected;
