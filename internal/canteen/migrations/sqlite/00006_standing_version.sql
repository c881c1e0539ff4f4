-- +goose Up
ALTER TABLE standing_orders ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE standing_orders DROP COLUMN version;
