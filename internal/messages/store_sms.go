package messages

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Take takes at most limit items that are due to be sent, the longest due
// first, so that nobody else takes them until the lease is over. Replicas may
// do so at the same time.
func (s *Store) Take(ctx context.Context, now time.Time, lease time.Duration, limit int) (taken []Item, err error) {
	due := func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("state = ? AND due_at <= ?", StateToSend, now.UnixMilli()).Order("due_at", "id").Limit(int64(limit))
	}
	// Almost always there is nothing, which is found out beside the writers.
	some, err := due(s.db.Reader().NewSelect().Model((*itemRow)(nil))).Exists(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for messages to send: %w", err)
	}
	if !some {
		return nil, nil
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []itemRow
		if err := due(tx.NewSelect().Model(&rows)).Scan(ctx); err != nil {
			return err
		}
		for n := range rows {
			rows[n].Attempts++
			rows[n].DueAt = millis(now.Add(lease))
			if _, err := tx.NewUpdate().Model(&rows[n]).Column("attempts", "due_at").WherePK().Exec(ctx); err != nil {
				return err
			}
		}
		taken, err = itemsOf(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("taking messages to send: %w", err)
	}
	return taken, nil
}

// Settle notes what has become of an item that was taken: sent, to be sent
// later (DueAt), or told in another way. Nothing is changed if the lease is over
// and another has it, or if a later message took its place.
func (s *Store) Settle(ctx context.Context, taken Item, state State, at time.Time) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		q := tx.NewUpdate().Model((*itemRow)(nil)).Set("state = ?", state).
			Where("id = ? AND state = ? AND due_at = ?", taken.ID, StateToSend, taken.DueAt.UnixMilli())
		switch state {
		case StateToSend:
			q.Set("due_at = ?", at.UnixMilli())
		case StateSent:
			q.Set("due_at = NULL, done_at = ?", at.UnixMilli())
		default:
			q.Set("due_at = NULL, attempts = 0")
		}
		_, err := q.Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting what has become of a message: %w", err)
	}
	return nil
}

// Drop removes an item for somebody whom the community does not know any more.
func (s *Store) Drop(ctx context.Context, taken Item) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*itemRow)(nil)).Where("id = ?", taken.ID).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing a message: %w", err)
	}
	return nil
}
