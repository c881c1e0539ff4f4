-- +goose Up
-- About whom somebody has done something, since some moment: Noted.
CREATE INDEX audit_of_actor ON audit (actor, action, at, person) WHERE person <> '';

-- +goose Down
DROP INDEX audit_of_actor;
