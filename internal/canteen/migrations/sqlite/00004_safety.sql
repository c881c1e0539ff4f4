-- +goose Up
CREATE TABLE suppliers (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    contact    TEXT    NOT NULL,
    phone      TEXT    NOT NULL,
    licence    TEXT    NOT NULL,
    retired_at INTEGER,
    version    INTEGER NOT NULL
) STRICT;

CREATE TABLE batches (
    id          TEXT    NOT NULL PRIMARY KEY,
    ingredient  TEXT    NOT NULL,
    supplier    TEXT    NOT NULL REFERENCES suppliers (id),
    lot         TEXT    NOT NULL,
    quantity    TEXT    NOT NULL,
    bought_on   TEXT    NOT NULL,
    expires_on  TEXT,             -- its last good day; none of what has no shelf life
    note        TEXT    NOT NULL,
    accepted_by TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    ended_as    TEXT    NOT NULL CHECK (ended_as IN ('', 'UsedUp', 'Discarded')),
    ended_at    INTEGER,
    ended_by    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    CHECK (expires_on >= bought_on),
    CHECK ((ended_at IS NULL) = (ended_as = '')),
    CHECK (ended_as <> 'Discarded' OR reason <> '')
) STRICT;

CREATE INDEX batches_open ON batches (expires_on) WHERE ended_at IS NULL;
CREATE INDEX batches_of_supplier ON batches (supplier);

-- Pictures of delivery notes and labels, for staff: apart from the photos of
-- dishes, which everybody may see.
CREATE TABLE batch_photos (
    batch      TEXT    NOT NULL PRIMARY KEY REFERENCES batches (id),
    id         TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    content    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Which batch went into which dish of a sitting. The items of menus are made
-- anew with every change; hence no reference to them.
CREATE TABLE uses (
    canteen  TEXT    NOT NULL REFERENCES canteens (name),
    day      TEXT    NOT NULL,
    meal     TEXT    NOT NULL,
    dish     TEXT    NOT NULL REFERENCES dishes (id),
    batch    TEXT    NOT NULL REFERENCES batches (id),
    noted_by TEXT    NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (canteen, day, meal, dish, batch)
) STRICT, WITHOUT ROWID;

CREATE INDEX uses_of_batch ON uses (batch, day);
CREATE INDEX uses_of_dish ON uses (dish, day);

-- GB 31654-2021: at least 125 g, kept for at least 48 hours.
CREATE TABLE samples (
    id           TEXT    NOT NULL PRIMARY KEY,
    canteen      TEXT    NOT NULL REFERENCES canteens (name),
    day          TEXT    NOT NULL,
    meal         TEXT    NOT NULL,
    dish         TEXT    NOT NULL REFERENCES dishes (id),
    grams        INTEGER NOT NULL CHECK (grams >= 125),
    place        TEXT    NOT NULL,
    taken_by     TEXT    NOT NULL,
    taken_at     INTEGER NOT NULL,
    discarded_by TEXT    NOT NULL,
    discarded_at INTEGER CHECK (discarded_at >= taken_at + 172800),
    UNIQUE (canteen, day, meal, dish)
) STRICT;

CREATE INDEX samples_kept ON samples (taken_at) WHERE discarded_at IS NULL;
CREATE INDEX samples_of_day ON samples (day);

CREATE TABLE checks (
    canteen  TEXT    NOT NULL REFERENCES canteens (name),
    day      TEXT    NOT NULL,
    point    TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('OK', 'NotOK')),
    remark   TEXT    NOT NULL,
    noted_by TEXT    NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (canteen, day, point),
    CHECK (state = 'OK' OR remark <> '')
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE checks;
DROP TABLE samples;
DROP TABLE uses;
DROP TABLE batch_photos;
DROP TABLE batches;
DROP TABLE suppliers;
