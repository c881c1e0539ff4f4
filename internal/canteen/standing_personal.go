package canteen

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// eraseStanding removes standing orders that ended before a day or moment, and
// what was skipped and done before the day.
func eraseStanding(ctx context.Context, tx bun.Tx, before string, at time.Time) error {
	for _, model := range []any{(*skipRow)(nil), (*standingDayRow)(nil)} {
		if _, err := tx.NewDelete().Model(model).Where("day < ?", before).Exec(ctx); err != nil {
			return fmt.Errorf("erasing days of standing orders: %w", err)
		}
	}
	if _, err := tx.NewDelete().Model((*standingRow)(nil)).
		Where("ended_at <= ? OR (last_day <> '' AND last_day < ?)", at.Unix(), before).Exec(ctx); err != nil {
		return fmt.Errorf("erasing standing orders: %w", err)
	}
	return nil
}

// forgetStanding ends the standing orders for and by a person, and takes the
// person out of them. What was ordered by them stays known by its IDs.
func (s *Store) forgetStanding(ctx context.Context, tx bun.Tx, person string, now time.Time) error {
	found, err := standingsIn(ctx, tx, func(q *bun.SelectQuery) {
		q.Where("eater = ? OR ordered_by = ? OR payer = ?", person, person, person).Order("id")
	})
	if err != nil {
		return err
	}
	for _, o := range found {
		ended := o.EndedAt.IsZero()
		if ended {
			o.EndedAt, o.Ending = now, EndedForgotten
		}
		for _, id := range []*string{&o.OrderedBy, &o.Payer} {
			if *id == person || o.Eater == person {
				*id = ""
			}
		}
		if o.Eater == person {
			o.Eater, o.Wish, o.Dishes = "", "", DishWish{}
			if _, err := tx.NewDelete().Model((*skipRow)(nil)).Where("standing = ?", o.ID).Exec(ctx); err != nil {
				return fmt.Errorf("forgetting the days to skip: %w", err)
			}
		}
		row, err := standingRowOf(o)
		if err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("forgetting standing order %s: %w", o.ID, err)
		}
		if !ended || o.Eater == "" {
			continue
		}
		// Whose meals somebody else saw to must not go hungry for not knowing.
		o.OrderedBy = ""
		if err := s.tell(ctx, tx, News{Kind: NewsStandingEnded, Order: o.order(civil.DateOf(now, now.Location())), Now: now}); err != nil {
			return err
		}
	}
	return nil
}
