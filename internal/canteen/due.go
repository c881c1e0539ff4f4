package canteen

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// maxSettled is how many orders are looked at in one go.
const maxSettled = 100

// missedAfter is how long after the end of a meal an order that nobody came for
// is missed.
const missedAfter = 4 * time.Hour

// Advance has happen what time brings: what is held for orders past their
// cut-off is due to be taken, and orders that nobody came for are missed.
func (s *Store) Advance(ctx context.Context, now time.Time, loc *time.Location) error {
	var sittings []struct{ Canteen, Day, Meal string }
	// A cut-off may be up to a week before the meal.
	last := civil.DateOf(now, loc).AddDays(8)
	err := s.db.Reader().NewSelect().Model((*orderRow)(nil)).Column("canteen", "day", "meal").Distinct().
		Where("state = ? AND day <= ?", StatePlaced, last.String()).Scan(ctx, &sittings)
	if err != nil {
		return fmt.Errorf("looking for what is due: %w", err)
	}
	for _, row := range sittings {
		sitting, err := sittingOf(row.Canteen, row.Day, row.Meal)
		if err != nil {
			return err
		}
		c, err := s.Canteen(ctx, sitting.Canteen)
		if err != nil {
			return err
		}
		meal, ok := c.Meal(sitting.Meal)
		if !ok {
			continue // the staff have taken the meal away and decide about its orders
		}
		if err := s.advance(ctx, sitting, TimesOf(meal, sitting.Day, loc), now); err != nil {
			return err
		}
	}
	return nil
}

// advance is Advance for one sitting.
func (s *Store) advance(ctx context.Context, sitting Sitting, times Times, now time.Time) error {
	if now.Before(times.CutOff) {
		return nil
	}
	missed := !now.Before(times.To.Add(missedAfter))
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		of := func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Model((*orderRow)(nil)).
				Where("canteen = ? AND day = ? AND meal = ? AND state = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal, StatePlaced).
				Where("next IS NULL")
		}
		_, err := of(tx.NewUpdate()).Set("money = ?", MoneyCapture).Set("tried_at = 0").Where("money = ?", MoneyHeld).Exec(ctx)
		if err == nil && missed {
			_, err = of(tx.NewUpdate()).Set("state = ?", StateMissed).Set("ended_at = ?", now.Unix()).Exec(ctx)
		}
		if err != nil {
			return fmt.Errorf("ending the orders of a meal: %w", err)
		}
		return nil
	})
}

// Due are orders whose payment is due to be gone on with and was not tried
// since a moment, the longest waiting first.
func (s *Store) Due(ctx context.Context, since time.Time) ([]Order, error) {
	var rows []orderRow
	err := s.db.Reader().NewSelect().Model(&rows).
		Where("money IN (?)", bun.List(due)).
		Where("tried_at <= ?", since.Unix()).Order("tried_at", "id").Limit(maxSettled).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for payments that are due: %w", err)
	}
	return ordersOf(rows)
}

// Tried notes that it was tried in vain to go on with a payment.
func (s *Store) Tried(ctx context.Context, id uuid.UUID, now time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*orderRow)(nil)).Set("tried_at = ?", now.Unix()).Where("id = ?", id).Exec(ctx)
		return err
	})
}

// Settled notes that a payment has come from one state to another, and counts
// what was taken or given back. To say it again is no error, and counts nothing.
func (s *Store) Settled(ctx context.Context, id uuid.UUID, from, to Money, on Posted, now time.Time) (Order, error) {
	return s.act(ctx, Act{Reach: Reach{Staff: true}, ID: id, Now: now}, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.Money != from {
			return nil
		}
		if err := posted(ctx, tx, o, to, on); err != nil {
			return err
		}
		o.Money = to
		if to == MoneyLost && o.State != StateCancelled {
			return s.tell(ctx, tx, News{Kind: NewsUnpaid, Order: *o, Now: now})
		}
		return nil
	})
}
