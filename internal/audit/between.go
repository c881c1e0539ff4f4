package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/linli-io/linli/internal/database"
)

// Between returns the latest entries from a moment on and before another, the
// newest first.
func Between(ctx context.Context, db *database.DB, from, to time.Time, limit int) ([]Record, error) {
	var rows []row
	err := db.Reader().NewSelect().Model(&rows).Where("at >= ? AND at < ?", from.UnixMilli(), to.UnixMilli()).
		OrderExpr("seq DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit of a time: %w", err)
	}
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		record := Record{
			Entry: Entry{Action: r.Action, Actor: r.Actor, Person: r.Person, Object: r.Object},
			Seq:   r.Seq, At: time.UnixMilli(r.At),
		}
		if err := json.Unmarshal([]byte(r.Detail), &record.Detail); err != nil {
			return nil, fmt.Errorf("audit entry %d: its detail was changed: %w", r.Seq, err)
		}
		records = append(records, record)
	}
	return records, nil
}
