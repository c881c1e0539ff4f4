package booking

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Advanced counts what happened by itself.
type Advanced struct {
	// Expired are holds and requests that nobody answered in time, Released
	// are bookings for which nobody came.
	Expired, Released int
}

// advanceBatch is how many bookings are looked at in one go.
const advanceBatch = 200

// Advance does what is due: it ends holds and requests that nobody answered,
// releases bookings for which nobody checked in, ends waiting that came to
// nothing, and offers what is free to those who wait. What it does is decided
// and done in one transaction for each booking; so it may be repeated, killed,
// and run by several processes at the same time.
func (s *Store) Advance(ctx context.Context, now time.Time, loc *time.Location) (done Advanced, err error) {
	for {
		var due []uuid.UUID
		err := s.db.Reader().NewSelect().Model((*bookingRow)(nil)).Column("id").
			Where("due_at <= ?", now.Unix()).Order("due_at", "id").Limit(advanceBatch).Scan(ctx, &due)
		if err != nil {
			return done, fmt.Errorf("looking for what is due: %w", err)
		}
		for _, id := range due {
			b, changed, err := s.settle(ctx, id, now, loc)
			if err != nil {
				return done, err
			}
			switch {
			case !changed:
			case b.State == StateReleased:
				done.Released++
			default:
				done.Expired++
			}
		}
		if len(due) < advanceBatch {
			break
		}
	}
	return done, s.advanceWaiting(ctx, now, loc)
}

// settle ends a booking whose time to be answered or checked in is over.
func (s *Store) settle(ctx context.Context, id uuid.UUID, now time.Time, loc *time.Location) (b Booking, changed bool, err error) {
	a := Act{Reach: Reach{Staff: true}, ID: id, Now: now, Location: loc}
	ending := func(ctx context.Context, tx bun.Tx, _ Venue, b Booking) (Booking, error) {
		if b.DueAt.IsZero() || b.DueAt.After(now) {
			return b, nil // somebody else was faster
		}
		if b.State == StateBooked {
			return end(ctx, tx, b, StateReleased, "", now)
		}
		return end(ctx, tx, b, StateExpired, "", now)
	}
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, b, changed, err = s.actIn(ctx, tx, a, ending)
		return err
	})
	return b, changed, err
}

// advanceWaiting ends waiting for what has begun, and looks at every venue for
// which somebody waits: it may have been changed since.
func (s *Store) advanceWaiting(ctx context.Context, now time.Time, loc *time.Location) error {
	var venues []string
	err := s.db.Reader().NewSelect().Model((*waitingRow)(nil)).Distinct().Column("venue").Where("state = ?", EntryWaiting).Scan(ctx, &venues)
	if err != nil {
		return fmt.Errorf("reading the waiting list: %w", err)
	}
	for _, name := range venues {
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewUpdate().Model((*waitingRow)(nil)).Set("state = ?", EntryExpired).
				Where("venue = ? AND state = ? AND start_at <= ?", name, EntryWaiting, now.Unix()).Exec(ctx); err != nil {
				return fmt.Errorf("ending what came to nothing: %w", err)
			}
			v, err := knownVenueIn(ctx, in(tx), name, now)
			if err != nil {
				return err
			}
			return s.promote(ctx, tx, v, nil, now, loc)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
