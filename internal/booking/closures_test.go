package booking

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// closureOf is an order to close a venue for some hours of that Monday.
func closureOf(t testing.TB, venue string, place int, from, to string) ClosureOrder {
	t.Helper()
	return ClosureOrder{
		Closure: Closure{Venue: venue, Place: place, Slot: Slot{oclock(t, from), oclock(t, to)}, Reason: "停水", By: "desk"},
		Now:     moment(t, monday), Location: zone(t, "Asia/Shanghai"),
	}
}

func close1(t testing.TB, s *Store, o ClosureOrder) (Closure, []Affected) {
	t.Helper()
	c, affected, _, err := s.Close(t.Context(), o)
	if err != nil {
		t.Fatalf("closing %s: %v", o.Venue, err)
	}
	return c, affected
}

// told says what has become of those affected: where and when they are now.
func told(affected []Affected) string {
	var s []string
	for _, a := range affected {
		after := string(a.After.State)
		if a.After.Live() {
			after = fmt.Sprintf("%d@%s", a.After.Place, a.After.Start.In(time.FixedZone("", 8*3600)).Format("02T15"))
		}
		s = append(s, a.Before.Person+":"+after)
	}
	return strings.Join(s, " ")
}

func TestCloseCancels(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		before := book1(t, s, at(t, "music", "p0", 8))
		first := book1(t, s, at(t, "music", "p1", 9))
		second := book1(t, s, at(t, "music", "p2", 10))
		after := book1(t, s, at(t, "music", "p3", 11))
		o := closureOf(t, "music", 0, "09:30", "10:30")
		o.Try = true
		all := look(t.Context(), t, s, o.Now)
		if _, affected := close1(t, s, o); told(affected) != "p1:cancelled p2:cancelled" {
			t.Errorf("tried: %s", told(affected))
		}
		if now := look(t.Context(), t, s, o.Now); !sameWhole(all, now) {
			t.Errorf("trying kept %+v", now)
		}
		o.Try = false
		c, affected := close1(t, s, o)
		if told(affected) != "p1:cancelled p2:cancelled" || affected[0].Before != first || affected[0].After.Reason != "停水" || affected[0].After.Sequence != 1 {
			t.Errorf("closed: %s, %+v", told(affected), affected)
		}
		for id, want := range map[uuid.UUID]State{before.ID: StateBooked, first.ID: StateCancelled, second.ID: StateCancelled, after.ID: StateBooked} {
			stateIs(t, s, id, want)
		}
		_, _, err := s.Book(t.Context(), at(t, "music", "p1", 9))
		wantRefusal(t, err, RuleClosure)
		v, err := s.Venue(t.Context(), "music", o.Now)
		if err != nil || len(v.Closures) != 1 || v.Closures[0] != c {
			t.Errorf("closures %+v, %v; made %+v", v.Closures, err, c)
		}
		if v, err := s.Venue(t.Context(), "music", o.End); err != nil || len(v.Closures) != 0 {
			t.Errorf("closures at the end: %+v, %v", v.Closures, err)
		}
		checkSettled(t, s, o.Now)
	})
}

// TestCloseByKey repeats an order under its key: once before and once after the
// time that it closes, when bookings have changed since.
func TestCloseByKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		moved := book1(t, s, at(t, "study", "p1", 9))
		o := closureOf(t, "study", 1, "09:00", "10:00")
		o.Key, o.Move, o.Try = "k", true, true
		close1(t, s, o) // keeps no key
		o.Try = false
		c, first := close1(t, s, o)
		cancel1(t, s, stateIs(t, s, moved.ID, StateBooked), o.Now)
		all := look(t.Context(), t, s, o.Now)
		for _, now := range []time.Time{o.Now.Add(time.Minute), o.End.Add(time.Hour)} {
			o.Now = now
			again, affected, replayed, err := s.Close(t.Context(), o)
			if err != nil || !replayed || again != c || told(affected) != "p1:cancelled" || affected[0].Before.Place != 1 || len(first) != 1 {
				t.Errorf("repeated at %s: %+v, %s, %v, %v; made %+v", now, again, told(affected), replayed, err, c)
			}
		}
		if !sameWhole(all, look(t.Context(), t, s, o.Now)) {
			t.Error("repeating changed something")
		}
		for _, change := range []func(o *ClosureOrder){
			func(o *ClosureOrder) { o.Place = 2 }, func(o *ClosureOrder) { o.Venue = "music" }, func(o *ClosureOrder) { o.Reason = "停电" },
			func(o *ClosureOrder) { o.Move = false }, func(o *ClosureOrder) { o.End = o.End.Add(time.Hour) }, func(o *ClosureOrder) { o.Start = o.Start.Add(-time.Hour) },
		} {
			other := o
			change(&other)
			if _, _, _, err := s.Close(t.Context(), other); !errors.Is(err, ErrKeyReused) {
				t.Errorf("%+v under the key of another: %v", other, err)
			}
		}
	})
}

func TestCloseRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for name, o := range map[string]ClosureOrder{
			"over":      {Closure: Closure{Venue: "music", Slot: Slot{oclock(t, "07:00"), oclock(t, "07:30")}}},
			"empty":     closureOf(t, "music", 0, "09:00", "09:00"),
			"backwards": closureOf(t, "music", 0, "10:00", "09:00"),
		} {
			o.Now, o.Location = moment(t, monday), zone(t, "Asia/Shanghai")
			t.Run(name, func(t *testing.T) {
				_, _, _, err := s.Close(t.Context(), o)
				wantRefusal(t, err, RuleInThePast)
			})
		}
		for _, o := range []ClosureOrder{closureOf(t, "pool", 0, "09:00", "10:00"), closureOf(t, "study", 4, "09:00", "10:00")} {
			if _, _, _, err := s.Close(t.Context(), o); !errors.Is(err, ErrNotFound) {
				t.Errorf("place %d of %s: %v", o.Place, o.Venue, err)
			}
		}
		if err := s.Reopen(t.Context(), byStaff(t, uuid.New(), moment(t, monday))); !errors.Is(err, ErrNotFound) {
			t.Errorf("reopened after no closure: %v", err)
		}
	})
}

// TestCloseTooMany: nothing is done when too many would give way.
func TestCloseTooMany(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := closureOf(t, "study", 0, "09:00", "10:00")
		rows := make([]bookingRow, maxAffected+1)
		for i := range rows {
			rows[i] = bookingRow{ID: uuid.New(), Venue: "study", Place: i, Person: "li", StartAt: o.Start.Unix(), EndAt: o.End.Unix(), Day: "2026-11-23", State: StateBooked}
		}
		err := s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&rows).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := s.Close(t.Context(), o); !errors.Is(err, ErrTooMany) {
			t.Errorf("closed: %v", err)
		}
		if w := look(t.Context(), t, s, o.Now); len(w.closures) != 0 || slices.ContainsFunc(w.bookings, func(b Booking) bool { return !b.Live() }) {
			t.Errorf("kept %+v", w.closures)
		}
		o.Place = 3
		if _, affected := close1(t, s, o); told(affected) != "li:cancelled" {
			t.Errorf("at one place: %s", told(affected))
		}
	})
}

// TestCloseMoves: to the other doctor at the same time, else to the next time
// that is free, else not at all.
func TestCloseMoves(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		save(t, s, doctors())
		order := func(person string, place, hour int) Order {
			o := at(t, "clinic", person, hour)
			o.Place = place
			return o
		}
		free := book1(t, s, order("p1", 1, 8))  // Li is free at eight
		late := book1(t, s, order("p2", 1, 10)) // Li is taken at ten, free at eleven
		book1(t, s, order("p3", 2, 10))         // Li's own
		long := order("p4", 1, 8)               // two hours from nine
		long.Slot = Slot{oclock(t, "09:00"), oclock(t, "10:00")}
		nine := book1(t, s, long)
		book1(t, s, order("p5", 2, 9))
		o := closureOf(t, "clinic", 1, "08:00", "12:00")
		o.Move = true
		_, affected := close1(t, s, o)
		// In the order of time: eight to Li, nine to Li at eleven, ten to Li at one.
		if want := "p1:2@23T08 p4:2@23T11 p2:2@23T13"; told(affected) != want {
			t.Errorf("moved %s, want %s", told(affected), want)
		}
		for _, b := range []Booking{free, nine, late} {
			if after := stateIs(t, s, b.ID, StateBooked); after.Reason != "停水" || after.Sequence != 1 || after.Place != 2 {
				t.Errorf("moved to %+v", after)
			}
		}
		checkSettled(t, s, o.Now)
	})
}

func TestCloseMoveKeepsLimitsAndWindow(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.BookingWindowDays, room.MaxPerResidentPerDay, room.MaxPerResidentPerWeek = 2, 1, 2
		save(t, s, room)
		book1(t, s, at(t, "music", "li", 9))
		tomorrow := at(t, "music", "li", 9)
		tomorrow.Slot = tomorrow.shifted(24 * time.Hour)
		book1(t, s, tomorrow)
		book1(t, s, at(t, "music", "wang", 10))
		o := closureOf(t, "music", 0, "08:00", "18:00")
		o.Move = true
		_, affected := close1(t, s, o)
		// Li has tomorrow's booking; the 25th is a closed date, then the window
		// ends. Wang can have tomorrow at eight.
		if want := "li:cancelled wang:1@24T08"; told(affected) != want {
			t.Errorf("moved %s, want %s", told(affected), want)
		}
		checkSettled(t, s, o.Now)
	})
}

func TestCloseWhatRunsAndWaits(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := studyRoom()
		room.NoShowMinutes, room.Approval = 60, v1alpha1.ApprovalStaff
		save(t, s, room)
		seat := func(person string, place, hour int, staff bool) Booking {
			o := at(t, "study", person, hour)
			o.Place, o.Staff = place, staff
			return book1(t, s, o)
		}
		over, running := seat("p0", 1, 8, true), seat("p1", 1, 9, true)
		if _, _, err := s.CheckIn(t.Context(), byStaff(t, running.ID, oclock(t, "09:05")), ""); err != nil {
			t.Fatal(err)
		}
		asked := seat("p2", 1, 10, false)
		// Somebody is offered seat 1 at eleven, and waits for any at that time.
		given := seat("p3", 1, 11, true)
		wanted := at(t, "study", "p4", 11)
		wanted.Place = 1
		e := join1(t, s, wanted)
		cancel1(t, s, given, given.CreatedAt)
		held := entryIs(t, s, e.ID, EntryOffered)

		o := closureOf(t, "study", 1, "08:00", "12:00")
		o.Move, o.Now = true, oclock(t, "09:30")
		c, affected := close1(t, s, o)
		if c.Start.Before(over.End) {
			t.Errorf("closed from %s on, which has passed", c.Start)
		}
		// Who is there has to go; what waits for approval waits elsewhere; an
		// offer is withdrawn, and who had it waits as before.
		if want := "p1:cancelled p2:2@23T10 p4:cancelled"; told(affected) != want {
			t.Errorf("affected %s, want %s", told(affected), want)
		}
		stateIs(t, s, over.ID, StateBooked)
		if b := stateIs(t, s, asked.ID, StateRequested); !b.DueAt.Equal(b.Start) {
			t.Errorf("asked for %+v", b)
		}
		stateIs(t, s, held.Booking, StateCancelled)
		if again := entryIs(t, s, e.ID, EntryWaiting); again.Booking != uuid.Nil || !again.JoinedAt.Equal(e.JoinedAt) {
			t.Errorf("waits again: %+v", again)
		}
		checkInvariants(t, s)
		if err := s.Reopen(t.Context(), byStaff(t, c.ID, o.Now)); err != nil {
			t.Fatal(err)
		}
		entryIs(t, s, e.ID, EntryOffered)
		checkInvariants(t, s)
	})
}

// TestCloseFreesOutside: what was cancelled is free outside of the closure, and
// is offered in the order of joining over all that became free.
func TestCloseFreesOutside(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		order := func(person string, from, to string) Order {
			o := at(t, "study", person, 9)
			o.Slot, o.Place = Slot{oclock(t, from), oclock(t, to)}, 1
			return o
		}
		book1(t, s, order("p0", "08:00", "10:00"))
		book1(t, s, order("p1", "10:00", "12:00"))
		// Whoever waits for the later part joined first.
		late, early := join1(t, s, order("p2", "10:00", "12:00")), join1(t, s, order("p3", "09:00", "11:00"))
		nine := join1(t, s, order("p4", "09:00", "10:00"))
		o := closureOf(t, "study", 1, "08:00", "08:30")
		_, affected := close1(t, s, o)
		if told(affected) != "p0:cancelled" {
			t.Errorf("affected %s", told(affected))
		}
		entryIs(t, s, late.ID, EntryWaiting)
		entryIs(t, s, early.ID, EntryWaiting)
		entryIs(t, s, nine.ID, EntryOffered)
		checkSettled(t, s, o.Now)
	})
}

func TestReopenPromotes(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := closureOf(t, "music", 0, "09:00", "10:00")
		book1(t, s, at(t, "music", "wang", 9))
		e := join1(t, s, at(t, "music", "li", 9))
		c, _ := close1(t, s, o)
		entryIs(t, s, e.ID, EntryWaiting)
		if again := join1(t, s, at(t, "music", "li", 9)); again.ID != e.ID {
			t.Errorf("joined again: %s, not %s", again.ID, e.ID)
		}
		for range 2 { // again is no error
			if err := s.Reopen(t.Context(), byStaff(t, c.ID, o.Now)); err != nil {
				t.Fatal(err)
			}
		}
		entryIs(t, s, e.ID, EntryOffered)
		if v, err := s.Venue(t.Context(), "music", o.Now); err != nil || len(v.Closures) != 0 {
			t.Errorf("closures %+v, %v", v.Closures, err)
		}
		checkSettled(t, s, o.Now)
	})
}

// TestClosureAndBookingAtOnce: a venue is read before the place is taken.
// Whichever comes first, nothing is booked while it is closed.
func TestClosureAndBookingAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := closureOf(t, "music", 0, "09:00", "12:00")
		v, err := s.Venue(t.Context(), "music", o.Now)
		if err != nil {
			t.Fatal(err)
		}
		close1(t, s, o)
		// The rules of before the closure allow it; the database does not.
		err = s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := book(ctx, tx, at(t, "music", "li", 9), v, true)
			return err
		})
		if !errors.Is(err, errLost) {
			t.Errorf("booked by a venue from before: %v", err)
		}
		checkInvariants(t, s)

		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if i%4 == 0 {
					c := closureOf(t, "study", 0, "09:00", "11:00")
					if _, _, _, err := s.Close(t.Context(), c); err != nil {
						t.Error(err)
					}
					return
				}
				_, _, err := s.Book(t.Context(), at(t, "study", fmt.Sprint("p", i), 9+i%2))
				if _, refused := errors.AsType[*Refusal](err); err != nil && !refused && !errors.Is(err, ErrTaken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		checkInvariants(t, s)
	})
}
