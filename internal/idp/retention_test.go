package idp

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// Every kind of row is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		s := &store{db: db}
		insert := func(row func(id string, at int64) any) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(row(uuid.NewString(), at.UnixMilli())).Exec(ctx)
					return err
				})
			}}
		}
		erase := func(now time.Time) error { return s.erase(t.Context(), now) }
		now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
		databasetest.WalkRetention(t, db, Retention, nil, now, erase, map[string]databasetest.Expiring{
			"accounts":        insert(func(id string, at int64) any { return &account{ID: id, Number: id, CreatedAt: at, UsedAt: at} }),
			"accounts closed": insert(func(id string, at int64) any { return &account{ID: id, Number: id, UsedAt: at, ClosedAt: at} }),
			"attempts":        insert(func(id string, at int64) any { return &attempt{ID: id, CreatedAt: at} }),
			"sends":           insert(func(id string, at int64) any { return &send{ID: id, At: at} }),
		})
	})
}
