package messages

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

// Every kind of row is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		insert := func(row func(at time.Time) any) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(row(at)).Exec(ctx)
					return err
				})
			}}
		}
		erase := func(now time.Time) error {
			_, err := s.Erase(t.Context(), now)
			return err
		}
		databasetest.WalkRetention(t, s.db, kept, slices.Concat(audit.Retention, notify.Retention), clockAt(12, 0), erase, map[string]databasetest.Expiring{
			"messages": insert(func(at time.Time) any {
				row, err := rowOf(item("b1", "moved", StateToCall), at)
				must(t, err)
				return &row
			}),
			"received": insert(func(at time.Time) any { return &receivedRow{ID: uuid.New(), ReceivedAt: at.UnixMilli()} }),
		})
	})
}
