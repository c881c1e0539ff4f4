-- +goose Up
-- Numbers by venue, month and state are kept of every day that is over, not
-- only of what was erased.

-- One row: bookings of days (YYYY-MM-DD) before this one are in past_use; empty
-- is none. Those that were erased are in it already.
CREATE TABLE counted (
    up_to TEXT NOT NULL
);

INSERT INTO counted (up_to) VALUES ('');

-- The others are counted from this index alone.
DROP INDEX bookings_of_day;
CREATE INDEX bookings_of_day ON bookings (day, venue, state, start_at, end_at);

-- +goose Down
DROP INDEX bookings_of_day;
CREATE INDEX bookings_of_day ON bookings (day);
-- What is still there is counted from the bookings again.
UPDATE past_use SET
    bookings = bookings - (SELECT COUNT(*) FROM bookings AS b
        WHERE b.venue = past_use.venue AND SUBSTR(b.day, 1, 7) = past_use.month AND b.state = past_use.state AND b.day < (SELECT up_to FROM counted)),
    minutes = minutes - (SELECT COALESCE(SUM(end_at - start_at) / 60, 0) FROM bookings AS b
        WHERE b.venue = past_use.venue AND SUBSTR(b.day, 1, 7) = past_use.month AND b.state = past_use.state AND b.day < (SELECT up_to FROM counted));
DELETE FROM past_use WHERE bookings = 0;
DROP TABLE counted;
