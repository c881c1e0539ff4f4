package booking

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// Use is how much a venue was used in a month, by what became of the bookings.
type Use struct {
	Venue string
	// Month is written YYYY-MM, in the community's zone.
	Month string
	State State
	// Bookings is how many there were, Minutes how long they were together.
	Bookings, Minutes int
}

// Use is the use of all venues from one month to another (YYYY-MM, both within
// it), by venue, month and state; bookings that were erased are in it. Days
// that are over were added up by countPast; the others are counted.
func (s *Store) Use(ctx context.Context, from, to string) ([]Use, error) {
	var uses []Use
	// One statement: what countPast does meanwhile is seen whole or not at all.
	err := s.db.Reader().NewRaw("SELECT venue, month, state, CAST(SUM(bookings) AS BIGINT) AS bookings, CAST(SUM(minutes) AS BIGINT) AS minutes FROM ("+
		"SELECT venue, month, state, bookings, minutes FROM past_use WHERE month >= ? AND month <= ? UNION ALL "+
		useOf+" WHERE day >= (SELECT up_to FROM counted) AND day >= ? AND day <= ? GROUP BY day, venue, state) AS parts GROUP BY 1, 2, 3",
		from, to, from+firstOfMonth, to+lastOfMonth).Scan(ctx, &uses)
	if err != nil {
		return nil, fmt.Errorf("reading the use of venues: %w", err)
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(strings.Compare(a.Venue, b.Venue), strings.Compare(a.Month, b.Month), strings.Compare(string(a.State), string(b.State)))
	})
	return uses, nil
}

// useSpan is from which month to which use is asked for, YYYY-MM: up to this
// one and from eleven months before if nothing else is said. It fails for what
// is not a month.
func useSpan(from, to string, today Date) (first, last string, err error) {
	if to == "" {
		to = monthsBefore(today, 0)
	}
	end, err := ParseDate(to + firstOfMonth)
	if err != nil {
		return "", "", fmt.Errorf("%q is not a month; write it as YYYY-MM", to)
	}
	if from == "" {
		from = monthsBefore(end, useMonths-1)
	}
	if _, err := ParseDate(from + firstOfMonth); err != nil {
		return "", "", fmt.Errorf("%q is not a month; write it as YYYY-MM", from)
	}
	return from, to, nil
}

// monthsBefore writes the month that is some before a day's as YYYY-MM.
func monthsBefore(d Date, n int) string {
	return Date{Year: d.Year, Month: d.Month - time.Month(n), Day: 1}.String()[:len("2006-01")]
}

const (
	// Days are compared as texts; not every month has a 31st.
	firstOfMonth, lastOfMonth = "-01", "-31"
	// useOf adds up bookings.
	useOf = "SELECT venue, SUBSTR(day, 1, 7) AS month, state, COUNT(*) AS bookings, CAST(SUM(end_at - start_at) / 60 AS BIGINT) AS minutes FROM bookings"
)

// countPast adds up, once, the bookings of days that are over, so that nobody
// needs them any more to know the use of the venues. It stops at a day on which
// a booking still waits for something to happen by itself: nothing else
// changes one that is over.
func (s *Store) countPast(ctx context.Context, now time.Time) error {
	for more := true; more; {
		err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			more, err = countMonth(ctx, tx, overSince(now))
			return err
		})
		if err != nil {
			return fmt.Errorf("counting the use of days that are over: %w", err)
		}
	}
	return nil
}

// overSince is the first day that may not be over everywhere on Earth for long:
// the community's zone may be changed.
func overSince(now time.Time) string { return DateOf(now.Add(-lockRetention), time.UTC).String() }

// countMonth adds up the bookings of the first month that has any to be added
// up, as far as that is before a day, and reports whether there was one.
func countMonth(ctx context.Context, tx bun.Tx, before string) (bool, error) {
	var counted, first string
	if err := tx.NewRaw("SELECT up_to FROM counted").Scan(ctx, &counted); err != nil {
		return false, err
	}
	if err := tx.NewRaw("SELECT COALESCE(MIN(day), ?) FROM bookings WHERE due_at IS NOT NULL AND day < ?", before, before).Scan(ctx, &before); err != nil {
		return false, err
	}
	if err := tx.NewRaw("SELECT COALESCE(MIN(day), '') FROM bookings WHERE day >= ? AND day < ?", counted, before).Scan(ctx, &first); err != nil || first == "" {
		return false, err
	}
	day, err := ParseDate(first)
	if err != nil {
		return false, err
	}
	to := min(before, Date{Year: day.Year, Month: day.Month + 1, Day: 1}.String())
	_, err = tx.NewRaw("INSERT INTO past_use (venue, month, state, bookings, minutes) "+useOf+" WHERE day >= ? AND day < ? GROUP BY 1, 2, 3 "+
		"ON CONFLICT (venue, month, state) DO UPDATE SET bookings = past_use.bookings + EXCLUDED.bookings, minutes = past_use.minutes + EXCLUDED.minutes",
		counted, to).Exec(ctx)
	if err != nil {
		return false, err
	}
	_, err = tx.NewRaw("UPDATE counted SET up_to = ?", to).Exec(ctx)
	return true, err
}
