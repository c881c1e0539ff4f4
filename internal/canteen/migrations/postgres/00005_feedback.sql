-- +goose Up
-- A photo as lists show it; empty if it was kept before there were small ones.
ALTER TABLE photos ADD COLUMN small BYTEA;

-- +goose Down
ALTER TABLE photos DROP COLUMN small;
