package booking

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// maxOccurrences is how many weeks a series may go on.
const maxOccurrences = 53

// SeriesOrder is an order that repeats every week, at the same time on the
// clock, up to and with a day.
type SeriesOrder struct {
	Order
	Until Date
	// AllOrNothing books nothing if one of the weeks cannot be booked.
	AllOrNothing bool
	// Try only tells what would come of it.
	Try bool
}

// Occurrence is a week of a series and what came of it.
type Occurrence struct {
	Slot
	// Booking is what was made; its ID is nil if nothing was.
	Booking Booking
	// Err is why not: a *Refusal or ErrTaken.
	Err error
}

// Occurrences are the spans of a series: every week at the same time on the
// clock, from the first on, up to and with a day. A time that clocks skip is an
// empty span, which every venue refuses. It returns a *Refusal if the series
// ends before it begins or goes on for more than a year.
func Occurrences(first Slot, until Date, loc *time.Location) ([]Slot, error) {
	day := DateOf(first.Start, loc)
	weeks := until.DaysSince(day) / 7
	if until.DaysSince(day) < 0 || weeks >= maxOccurrences {
		return nil, refuse(RuleUntil, maxOccurrences, "a series ends on or after its first day and has at most %d weeks", maxOccurrences)
	}
	start, length := first.Start.In(loc), first.End.Sub(first.Start)
	slots := make([]Slot, 0, weeks+1)
	for week := range weeks + 1 {
		d := day.AddDays(7 * week)
		at, ok := d.At(start.Hour()*60+start.Minute(), loc)
		if !ok {
			at = time.Date(d.Year, d.Month, d.Day, start.Hour(), start.Minute(), 0, 0, loc)
			slots = append(slots, Slot{Start: at, End: at})
			continue
		}
		at = at.Add(time.Duration(start.Second()) * time.Second)
		slots = append(slots, Slot{Start: at, End: at.Add(length)})
	}
	return slots, nil
}

// errUndone ends a transaction of which nothing is to be kept.
var errUndone = errors.New("nothing is kept")

// BookSeries books a series, and tells for every week what came of it. Weeks
// that cannot be booked are left out, or nothing is booked at all, as the order
// says. The id is nil if nothing was booked. An order that was done under its
// key is answered with the bookings there are of it.
func (s *Store) BookSeries(ctx context.Context, o SeriesOrder) (id uuid.UUID, weeks []Occurrence, err error) {
	slots, err := Occurrences(o.Slot, o.Until, o.Location)
	if err != nil {
		return uuid.Nil, nil, err
	}
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		id, weeks, err = bookSeries(ctx, tx, o, slots)
		return err
	})
	if errors.Is(err, errUndone) {
		for i := range weeks {
			weeks[i].Booking = Booking{}
		}
		return uuid.Nil, weeks, nil
	}
	return id, weeks, err
}

func bookSeries(ctx context.Context, tx bun.Tx, o SeriesOrder, slots []Slot) (uuid.UUID, []Occurrence, error) {
	series, err := newID()
	if err != nil {
		return uuid.Nil, nil, err
	}
	if o.Key != "" && !o.Try {
		key := usedKey{o.BookedBy, o.Key, digest("%s %s %t", o.digest(), o.Until, o.AllOrNothing)}
		err := take(ctx, tx, lookFirst, keeping(key, series, o.Now))
		if errors.Is(err, errKeyUsed) {
			known, err := resultUnder(ctx, tx, key)
			if err != nil {
				return uuid.Nil, nil, err
			}
			weeks, err := madeSeries(ctx, tx, known)
			if err == nil && o.Staff {
				err = o.act().note(ctx, tx, actionView, o.Person, known.String(), map[string]string{"venue": o.Venue})
			}
			return known, weeks, err
		}
		if err != nil {
			return uuid.Nil, nil, err
		}
	}
	v, err := venueIn(ctx, in(tx), o.Venue, o.Now)
	if errors.Is(err, ErrNotFound) {
		return uuid.Nil, nil, refuse(RuleUnknownVenue, 0, "there is no venue %q to book", o.Venue)
	}
	if err != nil {
		return uuid.Nil, nil, err
	}
	asker, err := o.asker(ctx, tx, v)
	if err != nil {
		return uuid.Nil, nil, err
	}
	made := 0
	weeks := make([]Occurrence, 0, len(slots))
	for _, slot := range slots {
		week := Occurrence{Slot: slot}
		week.Booking, week.Err = bookWeek(ctx, tx, o.Order, v, asker, slot, series)
		if _, refused := errors.AsType[*Refusal](week.Err); week.Err != nil && !refused && !errors.Is(week.Err, ErrTaken) {
			return uuid.Nil, nil, week.Err
		}
		if week.Err == nil {
			made++
		}
		weeks = append(weeks, week)
	}
	if o.Try || made == 0 || o.AllOrNothing && made < len(weeks) {
		return uuid.Nil, weeks, errUndone
	}
	if o.Staff {
		detail := map[string]string{"venue": v.Name, "bookings": strconv.Itoa(made)}
		err = o.act().note(ctx, tx, actionBookSeries, o.Person, series.String(), detail)
	}
	return series, weeks, err
}

func bookWeek(ctx context.Context, tx bun.Tx, o Order, v Venue, asker Asker, slot Slot, series uuid.UUID) (Booking, error) {
	o.Slot = slot
	if refusal := Check(v, o.Request, asker, o.Now, o.Location); refusal != nil {
		return Booking{}, refusal
	}
	id, err := newID()
	if err != nil {
		return Booking{}, err
	}
	b := o.booking(id, v)
	b.Series = series
	b, err = hold(ctx, tx, v, b, o.Place, lookFirst, o.Location)
	if err != nil {
		return Booking{}, err
	}
	return b, nil
}

func madeSeries(ctx context.Context, tx bun.Tx, series uuid.UUID) ([]Occurrence, error) {
	var rows []bookingRow
	if err := tx.NewSelect().Model(&rows).Where("series = ?", series).Order("start_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading a series: %w", err)
	}
	bookings, err := bookingsOf(rows)
	weeks := make([]Occurrence, len(bookings))
	for i, b := range bookings {
		weeks[i] = Occurrence{Slot: b.Slot, Booking: b}
	}
	return weeks, err
}

// CancelSeries cancels what is ahead of a series and may still be cancelled,
// and returns it.
func (s *Store) CancelSeries(ctx context.Context, a Act, reason string) ([]Booking, error) {
	bookings, err := s.InSeries(ctx, a.Reach, a.ID)
	if err != nil {
		return nil, err
	}
	if len(bookings) == 0 {
		return nil, ErrNotFound
	}
	a.series = true
	var cancelled []Booking
	for _, b := range bookings {
		if !b.Start.After(a.Now) {
			continue
		}
		a.ID = b.ID
		b, changed, err := s.Cancel(ctx, a, reason)
		if _, refused := errors.AsType[*Refusal](err); refused {
			continue
		}
		if err != nil {
			return cancelled, err
		}
		if changed {
			cancelled = append(cancelled, b)
		}
	}
	return cancelled, nil
}
