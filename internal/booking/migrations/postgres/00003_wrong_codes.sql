-- +goose Up
-- How many wrong door codes a person has entered, by hour: codes are short,
-- and nobody may try them all.

CREATE TABLE wrong_codes (
    person TEXT NOT NULL,
    hour   BIGINT NOT NULL, -- since the Unix epoch
    count  BIGINT NOT NULL,
    PRIMARY KEY (person, hour)
);

-- +goose Down
DROP TABLE wrong_codes;
