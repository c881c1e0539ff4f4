-- +goose Up
-- What was paid in another way than was asked for, and what was done about it.
ALTER TABLE payments ADD COLUMN received INTEGER NOT NULL DEFAULT 0; -- once it is paid
ALTER TABLE payments ADD COLUMN odd TEXT NOT NULL DEFAULT ''; -- why it is not what was asked for
ALTER TABLE payments ADD COLUMN done_at INTEGER;
ALTER TABLE payments ADD COLUMN done_by TEXT NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN note TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE payments DROP COLUMN received;
ALTER TABLE payments DROP COLUMN odd;
ALTER TABLE payments DROP COLUMN done_at;
ALTER TABLE payments DROP COLUMN done_by;
ALTER TABLE payments DROP COLUMN note;
