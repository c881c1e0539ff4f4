-- +goose Up
-- Every page of the staff says how many requests wait for an answer.
CREATE INDEX bookings_requested ON bookings (start_at, id) WHERE state = 'requested';

-- +goose Down
DROP INDEX bookings_requested;
