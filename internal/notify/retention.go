package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Retention says how long messages wait after they are of no use any more: an
// Outbox finds out at the next attempt.
var Retention = []database.Retention{{Table: "notify_outbox", Kept: database.KeptFor, For: LongestPause}}

// Expire removes messages that are of no use any more, where nobody takes
// messages and no Outbox runs.
func Expire(ctx context.Context, db *database.DB, now time.Time) error {
	err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*row)(nil)).Where("not_after <= ?", now.UnixMilli()).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing messages of no use: %w", err)
	}
	return nil
}
