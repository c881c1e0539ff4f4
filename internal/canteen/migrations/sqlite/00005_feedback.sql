-- +goose Up
-- All times are Unix seconds, days are YYYY-MM-DD in the community's zone.

-- A photo as lists show it; empty if it was kept before there were small ones.
ALTER TABLE photos ADD COLUMN small BLOB;

-- What somebody said about a dish that they had; stars are 1 to 5. The eater
-- and who said it are empty when they have left.
CREATE TABLE ratings (
    order_id   TEXT NOT NULL REFERENCES orders (id),
    dish       TEXT NOT NULL REFERENCES dishes (id),
    canteen    TEXT NOT NULL,
    day        TEXT NOT NULL,
    meal       TEXT NOT NULL,
    eater      TEXT NOT NULL,
    said_by    TEXT NOT NULL,
    stars      INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    line       TEXT NOT NULL CHECK (length(line) <= 140),
    said_at    INTEGER NOT NULL,
    PRIMARY KEY (order_id, dish)
) STRICT, WITHOUT ROWID;

CREATE INDEX ratings_of_dish ON ratings (dish, eater, stars);
CREATE INDEX ratings_by_day ON ratings (day);
CREATE INDEX ratings_by_time ON ratings (said_at);
CREATE INDEX ratings_by_eater ON ratings (eater);
CREATE INDEX ratings_by_sayer ON ratings (said_by);

-- What came of ratings that are not kept any more, by the month of the meal.
CREATE TABLE past_ratings (
    month   TEXT NOT NULL,
    dish    TEXT NOT NULL,
    ratings INTEGER NOT NULL,
    stars   INTEGER NOT NULL,
    PRIMARY KEY (month, dish)
) STRICT, WITHOUT ROWID;

-- What residents would like to be cooked. The author is empty when they have
-- left, and with them the text.
CREATE TABLE suggestions (
    id          TEXT NOT NULL PRIMARY KEY,
    author      TEXT NOT NULL,
    title       TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 40),
    text        TEXT NOT NULL CHECK (length(text) <= 200),
    state       TEXT NOT NULL CHECK (state IN ('Open', 'Planned', 'Cooked', 'Declined', 'Hidden')),
    answer      TEXT NOT NULL CHECK (length(answer) <= 200),
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    answered_at INTEGER,
    -- When it was cooked, declined or hidden.
    ended_at    INTEGER
) STRICT;

CREATE INDEX suggestions_by_author ON suggestions (author, state);
CREATE INDEX suggestions_ended ON suggestions (ended_at) WHERE ended_at IS NOT NULL;

-- Who else would like it: everybody once.
CREATE TABLE votes (
    suggestion TEXT NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
    person     TEXT NOT NULL,
    PRIMARY KEY (suggestion, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX votes_of_person ON votes (person);

-- Who changes a canteen says which version they saw.
ALTER TABLE canteens ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE canteens DROP COLUMN version;
DROP TABLE votes;
DROP TABLE suggestions;
DROP TABLE past_ratings;
DROP TABLE ratings;
ALTER TABLE photos DROP COLUMN small;
