package booking

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

// join1 puts a person on the waiting list of an hour on that Monday.
func join1(t testing.TB, s *Store, o Order) Entry {
	t.Helper()
	e, err := s.Join(t.Context(), o)
	if err != nil || e.State != EntryWaiting {
		t.Fatalf("%s waits for %s at %s: %+v, %v", o.Person, o.Venue, o.Start, e, err)
	}
	return e
}

// entryIs checks what has become of an entry of the waiting list.
func entryIs(t testing.TB, s *Store, id uuid.UUID, want EntryState) Entry {
	t.Helper()
	e, err := s.Entry(t.Context(), Reach{Staff: true}, id)
	if err != nil || e.State != want {
		t.Errorf("entry %s is %q, %v; want %s", id, e.State, err, want)
	}
	return e
}

func cancel1(t testing.TB, s *Store, b Booking, now time.Time) {
	t.Helper()
	if _, changed, err := s.Cancel(t.Context(), byStaff(t, b.ID, now), ""); err != nil || !changed {
		t.Fatalf("cancelled: %v, %v", changed, err)
	}
}

func TestJoin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		_, err := s.Join(t.Context(), at(t, "music", "li", 9))
		wantRefusal(t, err, RuleStillFree)
		_, err = s.Join(t.Context(), at(t, "pool", "li", 9))
		wantRefusal(t, err, RuleUnknownVenue)
		_, err = s.Join(t.Context(), at(t, "music", "li", 19))
		wantRefusal(t, err, RuleOutsideOpeningHours)
		running := at(t, "music", "guest", 8)
		running.Staff = true
		book1(t, s, running)
		running.Now = oclock(t, "08:10")
		_, err = s.Join(t.Context(), running)
		wantRefusal(t, err, RuleInThePast)

		book1(t, s, at(t, "music", "wang", 9))
		e := join1(t, s, at(t, "music", "li", 9))
		if again := join1(t, s, at(t, "music", "li", 9)); again != e {
			t.Errorf("joined again: %+v, was %+v", again, e)
		}
		if got, err := s.Entry(t.Context(), only("li"), e.ID); err != nil || got != e {
			t.Errorf("read back %+v, %v", got, err)
		}
		if _, err := s.Entry(t.Context(), only("wang"), e.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("another person's entry: %v", err)
		}
		// A seat that is taken can be waited for although others are free.
		seat := at(t, "study", "wang", 9)
		seat.Place = 2
		book1(t, s, seat)
		seat.Person = "li"
		if own := join1(t, s, seat); own.Place != 2 {
			t.Errorf("waits for %+v", own)
		}
		mine, err := s.Waiting(t.Context(), only("li"))
		if err != nil || len(mine) != 2 {
			t.Errorf("li waits for %+v, %v", mine, err)
		}
		all, err := s.WaitingAt(t.Context(), oclock(t, "09:00"), oclock(t, "10:00"))
		if err != nil || len(all) != 2 || all[0].Venue != "music" {
			t.Errorf("waiting at nine: %+v, %v", all, err)
		}
		checkInvariants(t, s)
	})
}

func TestWaitingLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for day := range 2 {
			for i, hour := range []int{8, 9, 10, 11, 13, 14} {
				o := at(t, "music", fmt.Sprint("p", i), hour)
				o.Slot = o.shifted(time.Duration(day) * 24 * time.Hour)
				book1(t, s, o)
				o.Person, o.BookedBy = "li", "li"
				if day*6+i < maxWaiting {
					join1(t, s, o)
					continue
				}
				_, err := s.Join(t.Context(), o)
				wantRefusal(t, err, RuleWaitingLimit)
			}
		}
	})
}

func TestOfferAccepted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		made := book1(t, s, at(t, "music", "wang", 9))
		first, second := join1(t, s, at(t, "music", "li", 9)), join1(t, s, at(t, "music", "zhao", 9))
		now := oclock(t, "07:45")
		cancel1(t, s, made, now)
		offered := entryIs(t, s, first.ID, EntryOffered)
		entryIs(t, s, second.ID, EntryWaiting)
		held := stateIs(t, s, offered.Booking, StateHeld)
		if held.Person != "li" || held.Place != 1 || !held.DueAt.Equal(oclock(t, "08:15")) {
			t.Errorf("held %+v", held)
		}
		checkSettled(t, s, now)
		if _, _, err := s.Book(t.Context(), at(t, "music", "qian", 9)); !errors.Is(err, ErrTaken) {
			t.Errorf("what is held was booked: %v", err)
		}
		if _, _, err := s.Accept(t.Context(), act(t, "zhao", held.ID, now)); !errors.Is(err, ErrNotFound) {
			t.Errorf("accepted by another: %v", err)
		}
		for _, want := range []bool{true, false} {
			b, changed, err := s.Accept(t.Context(), act(t, "li", held.ID, now))
			if err != nil || changed != want || b.State != StateBooked || !b.DueAt.IsZero() || b.Sequence != 1 {
				t.Errorf("accepted %+v, %v, %v", b, changed, err)
			}
		}
		entryIs(t, s, first.ID, EntryAccepted)
		entryIs(t, s, second.ID, EntryWaiting)
		checkSettled(t, s, now)
		// What was accepted is left no more.
		if e, err := s.Leave(t.Context(), act(t, "li", first.ID, now)); err != nil || e.State != EntryAccepted {
			t.Errorf("left %+v, %v", e, err)
		}
		stateIs(t, s, held.ID, StateBooked)
	})
}

func TestOfferDeclinedAndExpired(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		loc := zone(t, "Asia/Shanghai")
		made := book1(t, s, at(t, "music", "wang", 9))
		var entries []Entry
		for _, p := range []string{"li", "zhao", "qian", "sun"} {
			entries = append(entries, join1(t, s, at(t, "music", p, 9)))
		}
		cancel1(t, s, made, oclock(t, "07:45"))
		// Declined with the booking, declined with the entry.
		li := entryIs(t, s, entries[0].ID, EntryOffered)
		if b, _, err := s.Cancel(t.Context(), act(t, "li", li.Booking, oclock(t, "07:50")), ""); err != nil || b.State != StateCancelled {
			t.Errorf("declined %+v, %v", b, err)
		}
		entryIs(t, s, entries[0].ID, EntryLeft)
		zhao := entryIs(t, s, entries[1].ID, EntryOffered)
		for range 2 {
			if e, err := s.Leave(t.Context(), act(t, "zhao", zhao.ID, oclock(t, "08:00"))); err != nil || e.State != EntryLeft {
				t.Errorf("left %+v, %v", e, err)
			}
		}
		stateIs(t, s, zhao.Booking, StateCancelled)
		checkSettled(t, s, oclock(t, "08:00"))
		// Not answered in time.
		qian := entryIs(t, s, entries[2].ID, EntryOffered)
		_, _, err := s.Accept(t.Context(), act(t, "qian", qian.Booking, oclock(t, "08:30")))
		wantRefusal(t, err, RuleHoldEnded)
		done, err := s.Advance(t.Context(), oclock(t, "08:30"), loc)
		if err != nil || done != (Advanced{Expired: 1}) {
			t.Errorf("done %+v, %v", done, err)
		}
		stateIs(t, s, qian.Booking, StateExpired)
		entryIs(t, s, qian.ID, EntryExpired)
		sun := entryIs(t, s, entries[3].ID, EntryOffered)
		if b := stateIs(t, s, sun.Booking, StateHeld); !b.DueAt.Equal(oclock(t, "09:00")) {
			t.Errorf("held until %s, the start is at nine", b.DueAt)
		}
		checkSettled(t, s, oclock(t, "08:30"))
		if done, err := s.Advance(t.Context(), oclock(t, "09:00"), loc); err != nil || done != (Advanced{Expired: 1}) {
			t.Errorf("done %+v, %v", done, err)
		}
		checkSettled(t, s, oclock(t, "09:00"))
	})
}

// TestOrderOfWaiting: who joined first is offered first, unless they may not
// have it; different spans are in one order.
func TestOrderOfWaiting(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		two := at(t, "music", "wang", 9)
		two.End = two.End.Add(time.Hour)
		made := book1(t, s, two)
		// Li has two other bookings of that day, which is the limit.
		own := book1(t, s, at(t, "music", "li", 14))
		book1(t, s, at(t, "music", "li", 15))
		now := oclock(t, "07:45")
		li := join1(t, s, at(t, "music", "li", 9))
		zhao := join1(t, s, at(t, "music", "zhao", 10))
		o := two
		o.Person = "qian"
		qian := join1(t, s, o)
		sun := join1(t, s, at(t, "music", "sun", 9))
		cancel1(t, s, made, now)
		entryIs(t, s, li.ID, EntryWaiting)   // limit
		entryIs(t, s, zhao.ID, EntryOffered) // ten
		entryIs(t, s, qian.ID, EntryWaiting) // nine to eleven is not free any more
		declined := entryIs(t, s, sun.ID, EntryOffered)
		checkSettled(t, s, now)
		// When the limit is free and so is the place, it is Li's.
		if _, err := s.Leave(t.Context(), act(t, "sun", declined.ID, now)); err != nil {
			t.Fatal(err)
		}
		entryIs(t, s, li.ID, EntryWaiting)
		cancel1(t, s, own, now)
		entryIs(t, s, li.ID, EntryOffered)
		checkSettled(t, s, now)
	})
}

// TestOffersKeepTheRules: what the rules forbid in the meantime is not offered.
func TestOffersKeepTheRules(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		loc := zone(t, "Asia/Shanghai")
		club := musicRoom()
		club.Access, club.MinNoticeMinutes = v1alpha1.AccessMembers, 60
		save(t, s, club)
		for _, p := range []string{"li", "zhao"} {
			if err := s.AddMember(t.Context(), Member{Venue: "music", Person: p, AddedBy: "desk", AddedAt: moment(t, monday)}); err != nil {
				t.Fatal(err)
			}
		}
		guest := at(t, "music", "guest", 9)
		guest.Staff = true
		made := book1(t, s, guest)
		afternoon := guest
		afternoon.Slot = afternoon.shifted(5 * time.Hour)
		later := book1(t, s, afternoon)
		li, zhao := join1(t, s, at(t, "music", "li", 9)), join1(t, s, at(t, "music", "zhao", 9))
		afternoon.Person = "another guest" // no member, but staff judge
		another := join1(t, s, afternoon)
		_, err := s.Join(t.Context(), at(t, "music", "wang", 9))
		wantRefusal(t, err, RuleMembersOnly)
		if err := s.RemoveMember(t.Context(), byStaff(t, uuid.Nil, moment(t, monday)), "music", "li"); err != nil {
			t.Fatal(err)
		}
		cancel1(t, s, made, oclock(t, "07:45"))
		entryIs(t, s, li.ID, EntryWaiting)
		offered := entryIs(t, s, zhao.ID, EntryOffered)
		cancel1(t, s, later, oclock(t, "07:45"))
		entryIs(t, s, another.ID, EntryOffered)
		// A member again, but too late for the venue.
		if err := s.AddMember(t.Context(), Member{Venue: "music", Person: "li", AddedBy: "desk", AddedAt: moment(t, monday)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Leave(t.Context(), act(t, "zhao", offered.ID, oclock(t, "08:01"))); err != nil {
			t.Fatal(err)
		}
		entryIs(t, s, li.ID, EntryWaiting)
		if _, err := s.Advance(t.Context(), oclock(t, "09:00"), loc); err != nil {
			t.Fatal(err)
		}
		entryIs(t, s, li.ID, EntryExpired)
		checkSettled(t, s, oclock(t, "09:00"))
	})
}

// TestWhatFreesPromotes: every way in which a place becomes free offers it.
func TestWhatFreesPromotes(t *testing.T) {
	loc := zone(t, "Asia/Shanghai")
	for name, free := range map[string]func(t *testing.T, s *Store, b Booking) error{
		"cancel": func(t *testing.T, s *Store, b Booking) error {
			_, _, err := s.Cancel(t.Context(), act(t, "wang", b.ID, b.CreatedAt), "")
			return err
		},
		"change": func(t *testing.T, s *Store, b Booking) error {
			_, _, err := s.Change(t.Context(), act(t, "wang", b.ID, b.CreatedAt), Party{Person: "wang"}, at(t, "music", "wang", 14).Request)
			return err
		},
		"refuse": func(t *testing.T, s *Store, b Booking) error {
			_, _, err := s.Refuse(t.Context(), byStaff(t, b.ID, b.CreatedAt), "")
			return err
		},
		"a longer day": func(t *testing.T, s *Store, _ Booking) error {
			hall := studyRoom()
			hall.Name, hall.Seats = "music", 2
			save(t, s, hall)
			_, err := s.Advance(t.Context(), oclock(t, "07:45"), loc)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s *Store) {
				room := musicRoom()
				room.Approval = v1alpha1.ApprovalStaff
				save(t, s, room)
				b := book1(t, s, at(t, "music", "wang", 9))
				e := join1(t, s, at(t, "music", "li", 9))
				if err := free(t, s, b); err != nil {
					t.Fatal(err)
				}
				entryIs(t, s, e.ID, EntryOffered)
				checkSettled(t, s, b.CreatedAt)
			})
		})
	}
}

// TestReleasedTimeIsOffered: what is left of a no-show's booking is offered to
// those whose span has not begun.
func TestReleasedTimeIsOffered(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.NoShowMinutes, room.Approval = 15, v1alpha1.ApprovalStaff
		save(t, s, room)
		o := at(t, "music", "wang", 9)
		o.End, o.Staff = o.End.Add(time.Hour), true
		made := book1(t, s, o)
		nine, ten := join1(t, s, at(t, "music", "li", 9)), join1(t, s, at(t, "music", "zhao", 10))
		now := oclock(t, "09:15")
		if done, err := s.Advance(t.Context(), now, o.Location); err != nil || done != (Advanced{Released: 1}) {
			t.Fatalf("done %+v, %v", done, err)
		}
		stateIs(t, s, made.ID, StateReleased)
		entryIs(t, s, nine.ID, EntryExpired)
		offered := entryIs(t, s, ten.ID, EntryOffered)
		checkSettled(t, s, now)
		_, _, err := s.CheckIn(t.Context(), byStaff(t, made.ID, now), "")
		wantRefusal(t, err, RuleReleased)
		// Accepted at a venue that needs approval, it waits for that.
		if b, _, err := s.Accept(t.Context(), act(t, "zhao", offered.Booking, now)); err != nil || b.State != StateRequested || !b.DueAt.Equal(oclock(t, "10:00")) {
			t.Errorf("accepted %+v, %v", b, err)
		}
		checkSettled(t, s, now)
		// Who did not come has used up one of the two of that day.
		book1(t, s, at(t, "music", "wang", 14))
		_, _, err = s.Book(t.Context(), at(t, "music", "wang", 15))
		wantRefusal(t, err, RuleDailyLimit)
	})
}

func TestRetiredVenueOffersNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		loc := zone(t, "Asia/Shanghai")
		made, other := book1(t, s, at(t, "music", "wang", 9)), book1(t, s, at(t, "music", "wang", 10))
		e := join1(t, s, at(t, "music", "li", 9))
		if err := s.SyncVenues(t.Context(), v1alpha1.ManagedByManifest, []v1alpha1.Venue{studyRoom()}, made.CreatedAt); err != nil {
			t.Fatal(err)
		}
		cancel1(t, s, made, made.CreatedAt)
		if _, err := s.Advance(t.Context(), made.CreatedAt, loc); err != nil {
			t.Fatal(err)
		}
		entryIs(t, s, e.ID, EntryWaiting)
		_, _, err := s.Change(t.Context(), act(t, "wang", other.ID, made.CreatedAt), Party{Person: "wang"}, at(t, "music", "wang", 14).Request)
		wantRefusal(t, err, RuleUnknownVenue)
		stateIs(t, s, other.ID, StateBooked)
		checkSettled(t, s, made.CreatedAt)
	})
}

func TestAnyDoctorIsOffered(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		save(t, s, doctors())
		wang, li := at(t, "clinic", "p1", 9), at(t, "clinic", "p2", 9)
		wang.Place, li.Place = 1, 2
		book1(t, s, wang)
		atLi := book1(t, s, li)
		wang.Person = "p3"
		onlyWang, any := join1(t, s, wang), join1(t, s, at(t, "clinic", "p4", 9))
		cancel1(t, s, atLi, atLi.CreatedAt)
		entryIs(t, s, onlyWang.ID, EntryWaiting)
		if b := stateIs(t, s, entryIs(t, s, any.ID, EntryOffered).Booking, StateHeld); b.Place != 2 {
			t.Errorf("offered %+v", b)
		}
		checkSettled(t, s, atLi.CreatedAt)
		states := []EntryState{}
		all, err := s.WaitingAt(t.Context(), oclock(t, "09:00"), oclock(t, "10:00"))
		for _, e := range all {
			states = append(states, e.State)
		}
		if err != nil || !slices.Equal(states, []EntryState{EntryWaiting, EntryOffered}) {
			t.Errorf("waiting at nine: %v, %v", states, err)
		}
	})
}

// TestFreedBufferIsOffered: who waits for the hour before a booking, where the
// buffer of their own has no room, is offered it when that booking goes.
func TestFreedBufferIsOffered(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.BufferMinutes = 15
		save(t, s, room)
		made := book1(t, s, at(t, "music", "wang", 9))
		before, after := join1(t, s, at(t, "music", "li", 8)), join1(t, s, at(t, "music", "zhao", 10))
		cancel1(t, s, made, made.CreatedAt)
		entryIs(t, s, before.ID, EntryOffered)
		entryIs(t, s, after.ID, EntryOffered)
		checkSettled(t, s, made.CreatedAt)
	})
}
