-- +goose Up
-- How many wrong door codes a person has entered, by hour: codes are short,
-- and nobody may try them all.

CREATE TABLE wrong_codes (
    person TEXT NOT NULL,
    hour   INTEGER NOT NULL, -- since the Unix epoch
    count  INTEGER NOT NULL,
    PRIMARY KEY (person, hour)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE wrong_codes;
