package canteen

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// Cooked is a dish of a sitting, by which the trace goes from a batch to those
// who ate and back.
type Cooked struct {
	Sitting
	Dish uuid.UUID
}

// String names the dish of the sitting in records.
func (c Cooked) String() string { return c.Sitting.String() + "/" + c.Dish.String() }

// cookedOf are the dishes of sittings into which something went, each once.
func cookedOf(uses []Use) (cooked []Cooked) {
	for _, u := range uses {
		if c := (Cooked{u.Sitting, u.Dish}); !slices.Contains(cooked, c) {
			cooked = append(cooked, c)
		}
	}
	return cooked
}

// Eaten is an order with what it has of some dishes.
type Eaten struct {
	Order
	// Of are its lines that are about these dishes.
	Of []Line
}

// eaten are the orders that have one of some dishes: those that were handed out,
// that are still to be, and that nobody ticked off, whose meals may have been
// eaten all the same. Orders that were cancelled or refused are not among them.
func (s *Store) eaten(ctx context.Context, cooked []Cooked) ([]Eaten, error) {
	days := map[string][]string{}
	wanted := map[Cooked]bool{}
	for _, c := range cooked {
		wanted[c] = true
		if day := c.Day.String(); !slices.Contains(days[c.Canteen], day) {
			days[c.Canteen] = append(days[c.Canteen], day)
		}
	}
	var eaten []Eaten
	for canteen, list := range days {
		var rows []orderRow
		err := s.db.Reader().NewSelect().Model(&rows).Where("canteen = ? AND day IN (?)", canteen, bun.List(list)).
			Where("state IN (?)", bun.List([]State{StatePlaced, StateServed, StateMissed})).Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("tracing who ate: %w", err)
		}
		orders, err := ordersOf(rows)
		if err != nil {
			return nil, err
		}
		for _, o := range orders {
			e := Eaten{Order: o}
			for _, l := range o.Lines {
				if wanted[Cooked{o.Sitting, idOf(l.Dish)}] {
					e.Of = append(e.Of, l)
				}
			}
			if len(e.Of) > 0 {
				eaten = append(eaten, e)
			}
		}
	}
	slices.SortFunc(eaten, func(a, b Eaten) int {
		return cmp.Or(b.Day.DaysSince(a.Day), strings.Compare(a.Sitting.String(), b.Sitting.String()), strings.Compare(a.Name, b.Name), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return eaten, nil
}

// Reached is how many orders and portions had some dishes, without people.
type Reached struct{ Orders, Portions int }

// Reached counts the orders that have a dish of a sitting, by dish.
func (s *Store) Reached(ctx context.Context, cooked []Cooked) (map[Cooked]Reached, error) {
	eaten, err := s.eaten(ctx, cooked)
	if err != nil {
		return nil, err
	}
	reached := map[Cooked]Reached{}
	for _, e := range eaten {
		for _, l := range e.Of {
			c := Cooked{e.Sitting, idOf(l.Dish)}
			reached[c] = Reached{reached[c].Orders + 1, reached[c].Portions + l.Portions}
		}
	}
	return reached, nil
}

// Eaters are the orders that have one of some dishes, with names and phone
// numbers, for a manager. about is what is traced. That they are looked at is
// recorded before they are shown: for each of them once a day for each who
// looks, and each time for a file.
func (s *Store) Eaters(ctx context.Context, by By, about string, cooked []Cooked, exported bool, loc *time.Location) ([]Eaten, error) {
	eaten, err := s.eaten(ctx, cooked)
	if err != nil {
		return nil, err
	}
	l := traceLook(by, about, loc)
	if exported {
		l.Action, l.Each, l.Since = Name+".trace-export", Name+".trace-exported", time.Time{}
	}
	for _, e := range eaten {
		if !isGuest(e.Eater) {
			l.People = append(l.People, e.Eater)
		}
	}
	return eaten, audit.NoteLook(ctx, s.db, by.Now, l)
}

func traceLook(by By, about string, loc *time.Location) audit.Look {
	midnight, _ := civil.DateOf(by.Now, loc).Bounds(loc)
	return audit.Look{Actor: by.Actor, Action: Name + ".trace-view", Each: Name + ".trace-listed", Object: about, Since: midnight}
}

// Complaints are the orders of a day that a complaint may be about: those with a
// code, or, if names are asked for, with a part of a name, whose names are shown
// then, which is recorded.
func (s *Store) Complaints(ctx context.Context, by By, day civil.Date, query string, names bool, loc *time.Location) ([]Order, error) {
	var rows []orderRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("day = ?", day.String()).
		Where("state IN (?)", bun.List([]State{StatePlaced, StateServed, StateMissed})).Order("canteen", "meal", "name", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for an order: %w", err)
	}
	rows = slices.DeleteFunc(rows, func(r orderRow) bool {
		return r.Code != query && (!names || !strings.Contains(strings.ToLower(r.Name), strings.ToLower(query)))
	})
	orders, err := ordersOf(rows)
	if err != nil || !names {
		return orders, err
	}
	l := traceLook(by, day.String(), loc)
	for _, o := range orders {
		if !isGuest(o.Eater) {
			l.People = append(l.People, o.Eater)
		}
	}
	return orders, audit.NoteLook(ctx, s.db, by.Now, l)
}

// Complaint is an order that a complaint is about. If its name is shown, that is
// recorded before.
func (s *Store) Complaint(ctx context.Context, by By, id uuid.UUID, named bool, loc *time.Location) (Order, error) {
	o, err := orderIn(ctx, s.db.Reader(), id)
	if err != nil || !named {
		return o, err
	}
	l := traceLook(by, o.ID.String(), loc)
	if !isGuest(o.Eater) {
		l.People = []string{o.Eater}
	}
	return o, audit.NoteLook(ctx, s.db, by.Now, l)
}

// SafetyDue is what the kitchen is to be reminded of.
type SafetyDue struct {
	// Unsampled are dishes that somebody ordered of meals that are being or were
	// served today, and of which there is no sample.
	Unsampled []Cooked
	// Discardable are samples that were kept for long enough.
	Discardable []Sample
	// Expired and Near are open batches past their last day, and close to it.
	Expired, Near []Batch
	// Unchecked are the canteens that cook today and whose daily check is not
	// complete, in their order.
	Unchecked []Canteen
}

// Any reports whether anything is due.
func (d SafetyDue) Any() bool {
	return len(d.Unsampled)+len(d.Discardable)+len(d.Expired)+len(d.Near)+len(d.Unchecked) > 0
}

// SafetyDue is what is due at a moment.
func (s *Store) SafetyDue(ctx context.Context, now time.Time, loc *time.Location) (due SafetyDue, err error) {
	today := civil.DateOf(now, loc)
	canteens, err := s.Canteens(ctx)
	if err != nil {
		return due, err
	}
	menus, err := s.Menus(ctx, "", today, today, false)
	if err != nil {
		return due, err
	}
	samples, err := s.Samples(ctx, "", today, today)
	if err != nil {
		return due, err
	}
	kept, err := s.KeptSamples(ctx)
	if err != nil {
		return due, err
	}
	open, err := s.Batches(ctx, BatchQuery{Open: true})
	if err != nil {
		return due, err
	}
	for _, c := range canteens {
		due.Unsampled = append(due.Unsampled, unsampled(c, menus, samples, now, loc)...)
		found, err := s.Checks(ctx, c.Name, today, today)
		if err != nil {
			return due, err
		}
		if cooks(c, menus, today) && len(found[today]) < len(checkPoints) {
			due.Unchecked = append(due.Unchecked, c)
		}
	}
	for _, sample := range kept {
		if !now.Before(sample.DiscardFrom()) {
			due.Discardable = append(due.Discardable, sample)
		}
	}
	for _, b := range open {
		switch b.Freshness(today) {
		case Expired:
			due.Expired = append(due.Expired, b)
		case NearExpiry:
			due.Near = append(due.Near, b)
		}
	}
	return due, nil
}

// unsampled are the dishes of a canteen that somebody ordered, whose meal has
// begun, and of which there is no sample.
func unsampled(c Canteen, menus []Menu, samples []Sample, now time.Time, loc *time.Location) (cooked []Cooked) {
	for _, m := range menus {
		meal, ok := c.Meal(m.Meal)
		if m.Canteen != c.Name || !ok || now.Before(TimesOf(meal, m.Day, loc).From) {
			continue
		}
		for _, item := range m.Items {
			has := slices.ContainsFunc(samples, func(s Sample) bool { return s.Sitting == m.Sitting && s.Dish == item.Dish.ID })
			if item.Taken > 0 && !has {
				cooked = append(cooked, Cooked{m.Sitting, item.Dish.ID})
			}
		}
	}
	return cooked
}

// cooks reports whether a canteen cooks on a day: as its week has it, or because
// a menu is published.
func cooks(c Canteen, menus []Menu, day civil.Date) bool {
	for _, meal := range c.Meals {
		if c.Serves(meal, day) {
			return true
		}
	}
	return slices.ContainsFunc(menus, func(m Menu) bool { return m.Canteen == c.Name && m.Day == day && !m.PublishedAt.IsZero() })
}
