package canteen

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// aheadShown is how many days of a standing order are shown ahead.
const aheadShown = 14

// AheadState is what will become of a day of a standing order, or has. Names are
// stable.
type AheadState string

// What will become of a day.
const (
	AheadOrdered    AheadState = "Ordered"    // there is an order
	AheadNotOrdered AheadState = "NotOrdered" // there is none: see the outcome
	AheadSkipped    AheadState = "Skipped"
	AheadPaused     AheadState = "Paused"
	AheadClosed     AheadState = "Closed"      // the meal is not served
	AheadOver       AheadState = "Over"        // it is too late for the day
	AheadNoMenuYet  AheadState = "NoMenuYet"   // it will be ordered when there is a menu
	AheadWillOrder  AheadState = "WillOrder"   // with dishes such as these
	AheadCannot     AheadState = "CannotOrder" // as the menu is now, nothing suits
)

// Ahead is a day of a standing order.
type Ahead struct {
	Day   civil.Date
	State AheadState
	// Outcome is why there is no order, of a day that is NotOrdered or
	// CannotOrder.
	Outcome Outcome
	// Order is the order that there is; its ID is uuid.Nil if there is none.
	Order Order
	// Lines are the dishes that would be chosen now.
	Lines []Line
	// CanSkip and CanWant say that the day can still be skipped, or wanted
	// again.
	CanSkip, CanWant bool
}

// Outcomes of days whose order says what has become of it.
const outcomeCancelled Outcome = "Cancelled"

// DaysAhead are the days of a standing order from today on. made is what was
// done for them, orders are those that were made, by ID.
func DaysAhead(o Standing, c Canteen, menus []Menu, made map[civil.Date]StandingDay, orders map[uuid.UUID]Order, now time.Time, loc *time.Location) []Ahead {
	today := civil.DateOf(now, loc)
	var days []Ahead
	for i := range aheadShown {
		day := today.AddDays(i)
		done, isDone := made[day]
		if isDone || o.Covers(day) && o.State(today) != StandingEnded {
			days = append(days, ahead(o, c, menuOf(menus, o.Sitting(day)), done, orders[done.Order], now, loc))
		}
	}
	return days
}

// ahead is a day of a standing order. done is what was done for it, if anything
// was, order the order that was made.
func ahead(o Standing, c Canteen, m Menu, done StandingDay, order Order, now time.Time, loc *time.Location) Ahead {
	d := Ahead{Day: m.Day, Order: order, Outcome: done.Outcome}
	meal, ok := c.Meal(o.Meal)
	times := TimesOf(meal, m.Day, loc)
	live := o.State(civil.DateOf(now, loc)) != StandingEnded
	// A day may have been the standing order's until its days were changed.
	open := ok && live && o.Covers(m.Day) && now.Before(times.CutOff)
	published := !m.PublishedAt.IsZero()
	switch {
	case order.ID != uuid.Nil && (order.State.Live() || order.State == StateServed || order.State == StateMissed):
		d.State, d.CanSkip = AheadOrdered, open && done.Outcome == OutcomeOrdered && order.State == StatePlaced
	case o.Skipped(m.Day):
		d.State, d.CanWant = AheadSkipped, open
	case done.Outcome != "":
		d.State, d.CanWant = AheadNotOrdered, open
		if order.State == StateRefused {
			d.Outcome = outcomeRefused
		} else if order.ID != uuid.Nil {
			d.Outcome = outcomeCancelled
		}
	case !ok || c.retired || !published && !c.Serves(meal, m.Day):
		d.State = AheadClosed
	case !now.Before(times.CutOff) || !o.Since.Before(times.CutOff):
		d.State = AheadOver
	case !o.PausedAt.IsZero():
		d.State = AheadPaused
	case !published:
		d.State, d.CanSkip = AheadNoMenuYet, true
	default:
		d.State, d.CanSkip = AheadWillOrder, true
		var lack Lack
		if d.Lines, lack = Choose(m, o.Dishes); lack != "" {
			d.State, d.Outcome = AheadCannot, outcomeOfLack[lack]
		}
	}
	return d
}

// Ahead are the days of a standing order from today on.
func (s *Store) Ahead(ctx context.Context, o Standing, now time.Time, loc *time.Location) ([]Ahead, error) {
	today := civil.DateOf(now, loc)
	c, err := s.Canteen(ctx, o.Canteen)
	if err != nil {
		return nil, err
	}
	menus, err := s.Menus(ctx, o.Canteen, today, today.AddDays(aheadShown-1), false)
	if err != nil {
		return nil, err
	}
	made, err := s.StandingDays(ctx, o.ID, today)
	if err != nil {
		return nil, err
	}
	ids := []uuid.UUID{uuid.Nil}
	for _, day := range made {
		ids = append(ids, day.Order)
	}
	var rows []orderRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the orders of a standing order: %w", err)
	}
	list, err := ordersOf(rows)
	if err != nil {
		return nil, err
	}
	orders := map[uuid.UUID]Order{}
	for _, order := range list {
		orders[order.ID] = order
	}
	return DaysAhead(o, c, menus, made, orders, now, loc), nil
}
