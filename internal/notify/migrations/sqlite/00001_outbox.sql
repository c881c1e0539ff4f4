-- +goose Up
-- Messages that were not handed over yet. All times are Unix milliseconds.
CREATE TABLE notify_outbox (
    id        TEXT    NOT NULL PRIMARY KEY,
    person    TEXT    NOT NULL,
    message   TEXT    NOT NULL, -- JSON
    not_after INTEGER NOT NULL,
    -- When it is to be tried next. Who tries moves this ahead first, so that
    -- nobody else tries meanwhile.
    due_at    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL
) STRICT;

CREATE INDEX notify_due ON notify_outbox (due_at);

-- +goose Down
DROP TABLE notify_outbox;
