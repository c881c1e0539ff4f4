package booking

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

const (
	// keyRetention is how long a request is known by its idempotency key.
	keyRetention = 24 * time.Hour
	// lockRetention is how long cells and ordinals outlive their day or week.
	// Nothing can be booked in the past, so they have done their work by then.
	lockRetention = 48 * time.Hour
	// waitingRetention is how long the waiting list is kept after what was
	// waited for.
	waitingRetention = 30 * 24 * time.Hour
	// closureRetention is how long a closure is kept after its end.
	closureRetention = 365 * 24 * time.Hour
	// eraseBatch is how many bookings are erased in one transaction, so that
	// nobody waits long.
	eraseBatch = 500
)

// Erase removes what is past its retention: idempotency keys, wrong door
// codes, cells and ordinals of past days, the waiting list, closures, and
// bookings as Retention says. Numbers without persons stay for Use: they are
// added up before. It returns how many bookings were erased.
func (s *Store) Erase(ctx context.Context, now time.Time) (int, error) {
	var venues []venueRow
	if err := s.db.Reader().NewSelect().Model(&venues).Scan(ctx); err != nil {
		return 0, fmt.Errorf("erasing: reading the venues: %w", err)
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return eraseOthers(ctx, tx, venues, now) })
	if err != nil {
		return 0, fmt.Errorf("erasing keys, cells and waiting lists: %w", err)
	}
	if err := s.countPast(ctx, now); err != nil {
		return 0, err
	}
	erased := 0
	for _, row := range venues {
		v, err := row.venue()
		if err != nil {
			return erased, err
		}
		n, err := s.eraseBookings(ctx, v.Name, now.Add(-Retention(v.Kind)))
		if erased += n; err != nil {
			return erased, fmt.Errorf("erasing bookings of venue %q: %w", v.Name, err)
		}
	}
	return erased, nil
}

func eraseOthers(ctx context.Context, tx bun.Tx, venues []venueRow, now time.Time) error {
	past := now.Add(-lockRetention)
	day := DateOf(past, time.UTC)
	// Days sort among days, weeks among weeks: 2026-11-23, 2026-W48.
	const days, weeks = "period NOT LIKE '%W%' AND period < ?", "period LIKE '%W%' AND period < ?"
	for _, q := range []*bun.DeleteQuery{
		tx.NewDelete().Model((*idempotencyRow)(nil)).Where("created_at <= ?", now.Add(-keyRetention).Unix()),
		tx.NewDelete().Model((*wrongCodesRow)(nil)).Where("hour < ?", hourOf(now)),
		tx.NewDelete().Model((*quotaRow)(nil)).Where(days, day.String()),
		tx.NewDelete().Model((*quotaRow)(nil)).Where(weeks, day.Week()),
		tx.NewDelete().Model((*waitingRow)(nil)).Where("end_at <= ?", now.Add(-waitingRetention).Unix()),
		tx.NewDelete().Model((*closureRow)(nil)).Where("end_at <= ?", now.Add(-closureRetention).Unix()),
		tx.NewDelete().Model((*affectedRow)(nil)).Where("end_at <= ?", now.Add(-closureRetention).Unix()),
	} {
		if _, err := q.Exec(ctx); err != nil {
			return err
		}
	}
	until, _ := Slot{Start: past}.Cells()
	for _, v := range venues {
		if _, err := tx.NewDelete().Model((*cellRow)(nil)).Where("venue = ? AND cell < ?", v.Name, until).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// eraseBookings erases a venue's bookings that ended at or before a moment and
// whose numbers are kept.
func (s *Store) eraseBookings(ctx context.Context, venue string, until time.Time) (int, error) {
	erased := 0
	for {
		var ids []uuid.UUID
		err := s.db.Reader().NewSelect().Model((*bookingRow)(nil)).Column("id").
			Where("venue = ? AND end_at <= ? AND day < (SELECT up_to FROM counted)", venue, until.Unix()).Limit(eraseBatch).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return erased, err
		}
		var n int64
		err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			result, err := tx.NewDelete().Model((*bookingRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
			if err != nil {
				return err
			}
			n, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return erased, err
		}
		erased += int(n)
		if len(ids) < eraseBatch {
			return erased, nil
		}
	}
}
