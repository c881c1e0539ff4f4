package notify

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// What is of no use any more is removed also where nobody takes messages.
func TestEveryTableHasARetention(t *testing.T) {
	migrations, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		databasetest.WalkRetention(t, db, Retention, nil, time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC),
			func(now time.Time) error { return Expire(t.Context(), db, now) },
			map[string]databasetest.Expiring{"notify_outbox": {Coarse: true, Insert: func(at time.Time) error {
				return db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(&row{ID: uuid.New(), Person: "wang", Message: "{}", NotAfter: at.Add(time.Second).UnixMilli()}).Exec(ctx)
					return err
				})
			}}})
	})
}
