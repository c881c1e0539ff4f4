package booking

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// maxAffected is how many bookings one closure may touch, so that nobody else
// waits long for it.
const maxAffected = 1000

// moveDays is how many days ahead another time is looked for when a booking
// must give way to a closure.
const moveDays = 14

// ErrTooMany means that a closure would touch more bookings than maxAffected.
var ErrTooMany = fmt.Errorf("more than %d bookings lie in that time; close a shorter one", maxAffected)

// ClosureOrder closes a venue, or a place of it, for a span.
type ClosureOrder struct {
	Closure
	// Move gives those affected another place or a later time where there is
	// one, and cancels only the others; else all are cancelled.
	Move bool
	// Try only tells what would come of it.
	Try bool
	// Key is the idempotency key; empty means that every order is another one.
	Key      string
	Now      time.Time
	Location *time.Location
}

// digest tells orders under one key apart.
func (o ClosureOrder) digest() string {
	return digest("closure %q %d %d %d %q %t", o.Venue, o.Place, o.Start.Unix(), o.End.Unix(), o.Reason, o.Move)
}

// Affected is a booking that gives way to a closure, before and after.
type Affected struct{ Before, After Booking }

// Close closes a venue, and cancels or moves the bookings meanwhile in the same
// transaction. What has passed of the span stays as it was. It returns
// ErrNotFound if there is no such venue or place, and a *Refusal if the span
// is over or empty. An order that was done under its key is answered with that
// closure and its bookings as they are now, and replayed is true.
func (s *Store) Close(ctx context.Context, o ClosureOrder) (c Closure, affected []Affected, replayed bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		c, affected, replayed, err = s.closeOnce(ctx, tx, o)
		if err == nil && o.Try {
			err = errUndone
		}
		return err
	})
	if errors.Is(err, errUndone) {
		// Who would be affected is shown although nothing is kept.
		return c, affected, false, s.LookOver(ctx, o.act(), Look{what: actionClosureTry, object: o.Venue, people: affectedPeople(affected)})
	}
	return c, affected, replayed, err
}

// closeOnce closes a venue unless that was done under the order's key.
func (s *Store) closeOnce(ctx context.Context, tx bun.Tx, o ClosureOrder) (c Closure, affected []Affected, replayed bool, err error) {
	id, err := newID()
	if err != nil {
		return c, nil, false, err
	}
	if o.Key != "" && !o.Try {
		key := usedKey{o.By, o.Key, o.digest()}
		err := take(ctx, tx, lookFirst, keeping(key, id, o.Now))
		if errors.Is(err, errKeyUsed) {
			known, err := resultUnder(ctx, tx, key)
			if err != nil {
				return c, nil, false, err
			}
			if c, affected, err = closureIn(ctx, tx, known); err != nil {
				return c, affected, true, err
			}
			seen := o.act().entries(actionClosureView, actionPrinted, c.ID.String(), affectedPeople(affected))
			return c, affected, true, audit.Append(ctx, tx, o.Now, seen...)
		}
		if err != nil {
			return c, nil, false, err
		}
	}
	c, affected, err = s.closeVenue(ctx, tx, id, o)
	return c, affected, false, err
}

func (s *Store) closeVenue(ctx context.Context, tx bun.Tx, id uuid.UUID, o ClosureOrder) (Closure, []Affected, error) {
	o.Start = latest(o.Start, o.Now).Truncate(cellMinutes * time.Minute)
	if !o.End.After(o.Start) {
		return Closure{}, nil, refuse(RuleInThePast, 0, "the time to close is over or empty")
	}
	v, err := venueIn(ctx, in(tx), o.Venue, o.Now)
	if err == nil && o.Place != 0 && !v.hasPlace(o.Place) {
		err = ErrNotFound
	}
	if err != nil {
		return Closure{}, nil, err
	}
	row := closureRow{
		ID: id, Venue: v.Name, Place: o.Place, StartAt: o.Start.Unix(), EndAt: o.End.Unix(),
		Reason: o.Reason, MadeBy: o.By, CreatedAt: o.Now.Unix(),
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return Closure{}, nil, fmt.Errorf("closing venue %q: %w", v.Name, err)
	}
	v.Closures = append(v.Closures, row.closure())

	bookings, err := inClosure(ctx, tx, row, o.Now)
	if err != nil {
		return Closure{}, nil, err
	}
	// All places are freed first: one booking may move to where another was.
	for _, b := range bookings {
		if err := free(ctx, tx, b, true); err != nil {
			return Closure{}, nil, err
		}
	}
	affected := make([]Affected, 0, len(bookings))
	for _, b := range bookings {
		after, err := giveWay(ctx, tx, v, b, o)
		if err != nil {
			return Closure{}, nil, err
		}
		change := Affected{Before: b, After: after}
		affected = append(affected, change)
		if kind, ok := closureNews(change); ok {
			if err := s.tell(ctx, tx, News{Kind: kind, Venue: v, Before: b, After: after, Now: o.Now}); err != nil {
				return Closure{}, nil, err
			}
		}
	}
	if err := keepAffected(ctx, tx, id, affected); err != nil {
		return Closure{}, nil, err
	}
	// What lies partly outside of the closure is free there, and so are other
	// places for those whose offer gave way.
	if err := s.promote(ctx, tx, v, nil, o.Now, o.Location); err != nil {
		return Closure{}, nil, err
	}
	return row.closure(), affected, o.note(ctx, tx, id, affected)
}

// act is the order as what a member of staff does.
func (o ClosureOrder) act() Act {
	return Act{Reach: Reach{Actor: o.By, Staff: true}, Now: o.Now, Location: o.Location}
}

// note audits a closure, and what it did to each booking.
func (o ClosureOrder) note(ctx context.Context, tx bun.Tx, id uuid.UUID, affected []Affected) error {
	detail := map[string]string{"venue": o.Venue, "place": strconv.Itoa(o.Place), "bookings": strconv.Itoa(len(affected))}
	entries := []audit.Entry{o.act().entry(actionClose, "", id.String(), detail)}
	for _, a := range affected {
		what, detail := actionCloseCancel, map[string]string{"venue": o.Venue, "closure": id.String()}
		if a.After.Live() {
			what, detail["fields"] = actionCloseMove, strings.Join(moved(a.Before, a.After), ",")
		}
		entries = append(entries, o.act().entry(what, a.Before.Person, a.Before.ID.String(), detail))
	}
	return audit.Append(ctx, tx, o.Now, entries...)
}

// affectedRow is a booking that gave way to a closure, as it was before.
type affectedRow struct {
	bun.BaseModel `bun:"table:affected"`

	Closure uuid.UUID
	Booking uuid.UUID
	Place   int
	StartAt int64
	EndAt   int64
}

// keepAffected keeps who is to be called because of a closure.
func keepAffected(ctx context.Context, tx bun.Tx, closure uuid.UUID, affected []Affected) error {
	if len(affected) == 0 {
		return nil
	}
	rows := make([]affectedRow, len(affected))
	for i, a := range affected {
		rows[i] = affectedRow{Closure: closure, Booking: a.Before.ID, Place: a.Before.Place, StartAt: a.Before.Start.Unix(), EndAt: a.Before.End.Unix()}
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("keeping who is affected by closure %s: %w", closure, err)
	}
	return nil
}

// Closure is a closure, also one that has ended, with the bookings that gave
// way to it: before, and as they are now. It returns ErrNotFound if there is
// no such closure.
func (s *Store) Closure(ctx context.Context, id uuid.UUID) (Closure, []Affected, error) {
	return closureIn(ctx, s.db.Reader(), id)
}

func closureIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Closure, []Affected, error) {
	var closures []closureRow
	if err := db.NewSelect().Model(&closures).Where("id = ?", id).Scan(ctx); err != nil {
		return Closure{}, nil, fmt.Errorf("reading closure %s: %w", id, err)
	}
	if len(closures) == 0 {
		return Closure{}, nil, ErrNotFound
	}
	var before []affectedRow
	if err := db.NewSelect().Model(&before).Where("closure = ?", id).Order("start_at", "place", "booking").Scan(ctx); err != nil {
		return Closure{}, nil, fmt.Errorf("reading who is affected by closure %s: %w", id, err)
	}
	affected := make([]Affected, 0, len(before))
	for _, row := range before {
		now, err := bookingIn(ctx, db, Reach{Staff: true}, row.Booking)
		if errors.Is(err, ErrNotFound) {
			continue // erased
		}
		if err != nil {
			return Closure{}, nil, err
		}
		was := now
		was.Place, was.Slot = row.Place, slotOf(row.StartAt, row.EndAt)
		affected = append(affected, Affected{Before: was, After: now})
	}
	return closures[0].closure(), affected, nil
}

// inClosure are the live bookings that a closure ends, in order of time.
func inClosure(ctx context.Context, tx bun.Tx, c closureRow, now time.Time) ([]Booking, error) {
	var rows []bookingRow
	q := tx.NewSelect().Model(&rows).
		Where("venue = ? AND start_at < ? AND end_at > ? AND end_at > ? AND ended_at IS NULL", c.Venue, c.EndAt, c.StartAt, now.Unix()).
		Order("start_at", "place", "id").Limit(maxAffected + 1)
	if c.Place != 0 {
		q.Where("place = ?", c.Place)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the bookings of a closure: %w", err)
	}
	if len(rows) > maxAffected {
		return nil, ErrTooMany
	}
	return bookingsOf(rows)
}

// giveWay moves a booking that has lost its place to the same time at another
// place, else to the next time that is free; or cancels it. Who was offered the
// place waits again.
func giveWay(ctx context.Context, tx bun.Tx, v Venue, b Booking, o ClosureOrder) (Booking, error) {
	if o.Move && b.State != StateHeld && b.CheckedInAt.IsZero() {
		for days := range moveDays + 1 {
			day := b.Day.AddDays(days)
			from, to := day.Bounds(o.Location)
			taken, err := takenOthers(ctx, tx, v.Name, from, to)
			if err != nil {
				return b, err
			}
			for _, slot := range movesOn(DayOf(v, day, o.Now, o.Location, taken), b) {
				b.Reason = o.Reason
				after, err := rehold(ctx, tx, v, b, slot, 0, o.Now, o.Location)
				if err == nil {
					return after, nil
				}
				if _, refused := errors.AsType[*Refusal](err); refused {
					break // the person's limit of that day or week
				}
				if !errors.Is(err, ErrTaken) {
					return b, err
				}
			}
		}
	}
	after, err := endFreed(ctx, tx, b, StateCancelled, o.Reason, o.Now)
	if err == nil && b.State == StateHeld {
		err = waitAgain(ctx, tx, b.ID)
	}
	return after, err
}

// movesOn are the spans of a day to which a booking can be moved: its own
// first, then the later ones.
func movesOn(day Day, b Booking) []Slot {
	var own, later []Slot
	for _, offer := range day.Offers {
		for _, c := range day.Choices(offer.Start) {
			switch {
			case c.End.Sub(c.Start) != b.End.Sub(b.Start):
			case c.Start.Equal(b.Start):
				own = append(own, c.Slot)
			case c.Start.After(b.Start):
				later = append(later, c.Slot)
			}
		}
	}
	return append(own, later...)
}

// takenOthers are the places that are really held on a day: bookings that have
// lost theirs to a closure do not count.
func takenOthers(ctx context.Context, tx bun.Tx, venue string, from, to time.Time) ([]Taken, error) {
	first, _ := Slot{Start: from}.Cells()
	last, _ := Slot{Start: to}.Cells()
	var cells []cellRow
	if err := tx.NewSelect().Model(&cells).Where("venue = ? AND cell >= ? AND cell < ?", venue, first, last).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading what is taken: %w", err)
	}
	taken := make([]Taken, len(cells))
	for i, c := range cells {
		start := time.Unix(c.Cell*cellMinutes*60, 0)
		taken[i] = Taken{Place: c.Place, Slot: Slot{Start: start, End: start.Add(cellMinutes * time.Minute)}}
	}
	return taken, nil
}

// Ahead is how many live bookings a place of a venue has from a moment on.
func (s *Store) Ahead(ctx context.Context, venue string, place int, now time.Time) (int, error) {
	n, err := s.db.Reader().NewSelect().Model((*bookingRow)(nil)).
		Where("venue = ? AND place = ? AND end_at > ? AND ended_at IS NULL", venue, place, now.Unix()).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting the bookings ahead at venue %q: %w", venue, err)
	}
	return int(n), nil
}

// Reopen ends a closure before its time, and offers the free places to those
// who wait. Reopening again is no error.
func (s *Store) Reopen(ctx context.Context, a Act) error {
	id, now, loc := a.ID, a.Now, a.Location
	return s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []closureRow
		if err := tx.NewSelect().Model(&rows).Where("id = ?", id).Scan(ctx); err != nil {
			return fmt.Errorf("reading closure %s: %w", id, err)
		}
		if len(rows) == 0 {
			return ErrNotFound
		}
		if rows[0].EndedAt != nil {
			return nil
		}
		if _, err := tx.NewUpdate().Model((*closureRow)(nil)).Set("ended_at = ?", now.Unix()).Where("id = ?", id).Exec(ctx); err != nil {
			return fmt.Errorf("reopening after closure %s: %w", id, err)
		}
		v, err := knownVenueIn(ctx, in(tx), rows[0].Venue, now)
		if err != nil {
			return err
		}
		if err := s.promote(ctx, tx, v, &freed{Slot: rows[0].closure().Slot}, now, loc); err != nil {
			return err
		}
		return a.note(ctx, tx, actionReopen, "", id.String(), map[string]string{"venue": v.Name})
	})
}
