-- +goose Up
-- The bookings that gave way to a closure, with the time and place that they
-- had before: the list of those to call.

CREATE TABLE affected (
    closure  TEXT NOT NULL,
    booking  TEXT NOT NULL,
    place    INTEGER NOT NULL,
    start_at INTEGER NOT NULL,
    end_at   INTEGER NOT NULL,
    PRIMARY KEY (closure, booking)
) STRICT, WITHOUT ROWID;

CREATE INDEX affected_ended ON affected (end_at);

-- +goose Down
DROP TABLE affected;
