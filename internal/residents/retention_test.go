package residents

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// Every kind of row is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		mother, son := add(t, s, guihua), add(t, s, qiang)
		insert := func(row func(at int64) any) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(row(at.Unix())).Exec(ctx)
					return err
				})
			}}
		}
		erase := func(now time.Time) error {
			if _, err := s.Expire(t.Context(), at(Name, now)); err != nil {
				return err
			}
			leaving, err := s.Erasing(t.Context())
			for _, id := range leaving {
				err = errors.Join(err, s.Erase(t.Context(), at(Name, now), id.ID))
			}
			return err
		}
		day := insert(func(at int64) any {
			return &triesRow{Subject: "s", Kind: tryJoin, Day: string(DateOf(time.Unix(at, 0), shanghai)), N: 1}
		})
		day.Coarse = true
		databasetest.WalkRetention(t, s.db, kept, audit.Retention, monday, erase, map[string]databasetest.Expiring{
			"people who have moved away": insert(func(at int64) any {
				return &personRow{ID: uuid.New(), Kind: Resident, Name: "王贵", MovedAwayAt: &at}
			}),
			"codes": insert(func(at int64) any {
				return &codeRow{Hash: "h", Kind: codeActing, Person: mother.ID, ExpiresAt: at + int64(codeLifetime/time.Second)}
			}),
			"tries": day,
			"requests": insert(func(at int64) any {
				return &requestRow{ID: uuid.New(), Kind: RequestJoin, Subject: "s", Details: "{}", State: RequestRefused, CreatedAt: at, DecidedAt: &at}
			}),
			"requests without an answer": insert(func(at int64) any {
				return &requestRow{ID: uuid.New(), Kind: RequestJoin, Subject: "s", Details: "{}", State: RequestOpen, CreatedAt: at}
			}),
			"documents": insert(func(at int64) any {
				return &documentRow{ID: uuid.New(), Person: mother.ID, Content: png, CreatedAt: at}
			}),
			"acting that has ended": insert(func(at int64) any {
				return &actingRow{ID: uuid.New(), Actor: son.ID, Represented: mother.ID, EndedAt: &at}
			}),
			"consents withdrawn": insert(func(at int64) any {
				return &consentRow{ID: uuid.New(), Person: mother.ID, Purpose: "Care", WithdrawnAt: &at}
			}),
			"drafts": insert(func(at int64) any { return &draftRow{ID: uuid.New(), Rows: "{}", CreatedAt: at} }),
		})
	})
}
