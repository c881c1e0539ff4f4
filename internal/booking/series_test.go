package booking

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

const week = 7 * 24 * time.Hour

// weekly is an order of nine o'clock on Mondays, up to and with a day.
func weekly(t testing.TB, venue, person, until string) SeriesOrder {
	t.Helper()
	return SeriesOrder{Order: at(t, venue, person, 9), Until: date(t, until)}
}

func TestBookSeries(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.BookingWindowDays = 21
		save(t, s, room)
		taken := at(t, "music", "wang", 9)
		taken.Slot = taken.shifted(week)
		book1(t, s, taken)
		o := weekly(t, "music", "li", "2026-12-21")
		o.Key = "k"

		before := look(t.Context(), t, s, o.Now)
		for name, c := range map[string]func(*SeriesOrder){
			"try":            func(o *SeriesOrder) { o.Try = true },
			"all or nothing": func(o *SeriesOrder) { o.AllOrNothing = true },
		} {
			order := o
			c(&order)
			id, weeks, err := s.BookSeries(t.Context(), order)
			if err != nil || id != uuid.Nil || len(weeks) != 5 || !errors.Is(weeks[1].Err, ErrTaken) || weeks[0].Err != nil || weeks[0].Booking.ID != uuid.Nil {
				t.Errorf("%s: %s, %+v, %v", name, id, weeks, err)
			}
			wantRefusal(t, weeks[4].Err, RuleOutsideWindow)
			if after := look(t.Context(), t, s, o.Now); !sameWhole(before, after) {
				t.Errorf("%s kept %+v", name, after)
			}
		}

		// Neither has used up the key.
		id, weeks, err := s.BookSeries(t.Context(), o)
		if err != nil || id == uuid.Nil {
			t.Fatalf("booked %+v, %v", weeks, err)
		}
		for i, week := range weeks {
			if made := week.Err == nil; made != (i != 1 && i != 4) || made && (week.Booking.Series != id || week.Booking.Start != week.Start.Local()) {
				t.Errorf("week %d: %+v", i, week)
			}
		}
		checkInvariants(t, s)
		again, known, err := s.BookSeries(t.Context(), o)
		if err != nil || again != id || len(known) != 3 || known[0].Booking != weeks[0].Booking {
			t.Errorf("repeated: %s, %+v, %v; made %s", again, known, err, id)
		}
		other := o
		other.AllOrNothing = true
		if _, _, err := s.BookSeries(t.Context(), other); !errors.Is(err, ErrKeyReused) {
			t.Errorf("another series under the key: %v", err)
		}
		single := o.Order
		if _, _, err := s.Book(t.Context(), single); !errors.Is(err, ErrKeyReused) {
			t.Errorf("a booking under the key of a series: %v", err)
		}
		if list, err := s.InSeries(t.Context(), only("li"), id); err != nil || len(list) != 3 {
			t.Errorf("listed %+v, %v", list, err)
		}
		if list, err := s.InSeries(t.Context(), only("wang"), id); err != nil || len(list) != 0 {
			t.Errorf("another's series: %+v, %v", list, err)
		}
	})
}

func TestBookSeriesRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		_, _, err := s.BookSeries(t.Context(), weekly(t, "music", "li", "2026-11-22"))
		wantRefusal(t, err, RuleUntil)
		_, _, err = s.BookSeries(t.Context(), weekly(t, "pool", "li", "2026-11-30"))
		wantRefusal(t, err, RuleUnknownVenue)
		o := weekly(t, "music", "li", "2026-11-30")
		o.Slot = o.shifted(10 * time.Hour)
		id, weeks, err := s.BookSeries(t.Context(), o)
		if err != nil || id != uuid.Nil || len(weeks) != 2 {
			t.Errorf("out of hours: %s, %+v, %v", id, weeks, err)
		}
		wantRefusal(t, weeks[1].Err, RuleOutsideOpeningHours)
	})
}

// TestSeriesLimits: a week that is over a limit is left out, the others count.
func TestSeriesLimits(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.BookingWindowDays, room.MaxPerResidentPerWeek = 21, 1
		save(t, s, room)
		o := at(t, "music", "li", 9)
		o.Slot = o.shifted(week + 24*time.Hour)
		book1(t, s, o)
		_, weeks, err := s.BookSeries(t.Context(), weekly(t, "music", "li", "2026-12-07"))
		if err != nil || weeks[0].Err != nil || weeks[2].Err != nil {
			t.Errorf("weeks %+v, %v", weeks, err)
		}
		wantRefusal(t, weeks[1].Err, RuleWeeklyLimit)
		_, _, err = s.Book(t.Context(), at(t, "music", "li", 14))
		wantRefusal(t, err, RuleWeeklyLimit)
		checkInvariants(t, s)
	})
}

func TestCancelSeries(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.BookingWindowDays, room.CancelNoticeMinutes = 21, 60
		save(t, s, room)
		for i, staff := range []bool{false, true} {
			p := fmt.Sprint("p", i)
			id, weeks, err := s.BookSeries(t.Context(), weekly(t, "music", p, "2026-12-14"))
			if err != nil {
				t.Fatal(err)
			}
			waiting := at(t, "music", "li", 9)
			waiting.Slot = weeks[2].Slot
			e := join1(t, s, waiting)
			// In the second week, within the notice; the first one is over.
			a := act(t, p, id, weeks[1].Start.Add(-30*time.Minute))
			a.Staff = staff
			if _, err := s.CancelSeries(t.Context(), act(t, "li", id, a.Now), ""); !errors.Is(err, ErrNotFound) {
				t.Errorf("another's series: %v", err)
			}
			cancelled, err := s.CancelSeries(t.Context(), a, "搬家")
			if err != nil || len(cancelled) != map[bool]int{false: 2, true: 3}[staff] || cancelled[0].Reason != "搬家" {
				t.Errorf("staff %v: cancelled %+v, %v", staff, cancelled, err)
			}
			stateIs(t, s, weeks[0].Booking.ID, StateBooked)
			stateIs(t, s, weeks[3].Booking.ID, StateCancelled)
			held := entryIs(t, s, e.ID, EntryOffered)
			if again, err := s.CancelSeries(t.Context(), a, ""); err != nil || len(again) != 0 {
				t.Errorf("cancelled again: %+v, %v", again, err)
			}
			checkInvariants(t, s)
			cancel1(t, s, stateIs(t, s, held.Booking, StateHeld), a.Now)
			if staff {
				break
			}
			// What is left makes way for the second round.
			a.Staff = true
			if _, err := s.CancelSeries(t.Context(), a, ""); err != nil {
				t.Fatal(err)
			}
			b := weeks[0].Booking
			cancel1(t, s, b, b.CreatedAt)
		}
	})
}

// TestSeriesOverAChangeOfOffset keeps the time on the clock, and books nothing
// where clocks skip it.
func TestSeriesOverAChangeOfOffset(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		berlin := zone(t, "Europe/Berlin")
		night := musicRoom()
		night.BookingWindowDays = 30
		night.Hours[0].Days, night.Hours[0].From, night.Hours[0].To = everyDay, "00:00", "12:00"
		night.Hours = night.Hours[:1]
		save(t, s, night)
		o := SeriesOrder{Order: at(t, "music", "li", 9), Until: date(t, "2026-04-05")}
		o.Location, o.Now = berlin, moment(t, "2026-03-20T12:00:00+01:00")
		o.Slot = span(t, "2026-03-22T02:00:00+01:00", "2026-03-22T03:00:00+01:00")
		_, weeks, err := s.BookSeries(t.Context(), o)
		if err != nil || len(weeks) != 3 || weeks[0].Err != nil || weeks[2].Err != nil {
			t.Fatalf("weeks %+v, %v", weeks, err)
		}
		wantRefusal(t, weeks[1].Err, RuleNotOnSlot)
		if got := weeks[2].Booking.Start; !got.Equal(moment(t, "2026-04-05T02:00:00+02:00")) {
			t.Errorf("the week after begins at %s", got)
		}
		checkInvariants(t, s)
	})
}
