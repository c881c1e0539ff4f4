package booking

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

// save changes a venue.
func save(t testing.TB, s *Store, v v1alpha1.Venue) {
	t.Helper()
	if err := s.SaveVenue(t.Context(), byStaff(t, uuid.Nil, moment(t, monday)), v); err != nil {
		t.Fatal(err)
	}
}

// oclock is a time of day on that Monday, written HH:MM.
func oclock(t testing.TB, s string) time.Time {
	t.Helper()
	return moment(t, "2026-11-23T"+s+":00+08:00")
}

// byStaff is what staff do with a booking.
func byStaff(t testing.TB, id uuid.UUID, now time.Time) Act {
	t.Helper()
	a := act(t, "desk", id, now)
	a.Staff = true
	return a
}

// stateIs checks what has become of a booking.
func stateIs(t testing.TB, s *Store, id uuid.UUID, want State) Booking {
	t.Helper()
	b, err := s.Booking(t.Context(), Reach{Staff: true}, id)
	if err != nil || b.State != want {
		t.Errorf("booking %s is %q, %v; want %s", id, b.State, err, want)
	}
	return b
}

func TestChange(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		o := at(t, "study", "li", 9)
		o.Note = "靠窗"
		made := book1(t, s, o)
		later := o.Now.Add(time.Minute)
		change := func(to Request) (Booking, bool, error) {
			t.Helper()
			return s.Change(t.Context(), act(t, "li", made.ID, later), o.Party, to)
		}
		moved, changed, err := change(at(t, "study", "li", 14).Request)
		if err != nil || !changed || moved.ID != made.ID || !moved.Start.Equal(oclock(t, "14:00")) || moved.Sequence != 1 || moved.Note != o.Note ||
			!moved.CreatedAt.Equal(made.CreatedAt) || !moved.UpdatedAt.Equal(later) {
			t.Errorf("moved to %+v, %v, %v", moved, changed, err)
		}
		checkInvariants(t, s)
		if again, changed, err := change(at(t, "study", "li", 14).Request); err != nil || changed || again != moved {
			t.Errorf("moved again: %+v, %v, %v", again, changed, err)
		}
		// Into its own time: longer, and to another place.
		longer := at(t, "study", "li", 14).Request
		longer.End, longer.Place = longer.End.Add(time.Hour), 3
		moved, _, err = change(longer)
		if err != nil || moved.Place != 3 || moved.End.Sub(moved.Start) != 2*time.Hour || moved.Sequence != 2 {
			t.Errorf("longer: %+v, %v", moved, err)
		}
		checkInvariants(t, s)
		// To another day, where another limit counts.
		tomorrow := at(t, "study", "li", 9).Request
		tomorrow.Slot = tomorrow.shifted(24 * time.Hour)
		moved, _, err = change(tomorrow)
		if err != nil || moved.Day != (Date{Year: 2026, Month: 11, Day: 24}) {
			t.Errorf("tomorrow: %+v, %v", moved, err)
		}
		checkInvariants(t, s)
		if _, _, err := s.Change(t.Context(), act(t, "wang", made.ID, later), o.Party, tomorrow); !errors.Is(err, ErrNotFound) {
			t.Errorf("another person's: %v", err)
		}
		if _, _, err := s.Cancel(t.Context(), act(t, "li", made.ID, later), ""); err != nil {
			t.Fatal(err)
		}
		_, _, err = change(tomorrow)
		wantRefusal(t, err, RuleNotLive)
	})
}

// shifted is a span moved by some time.
func (s Slot) shifted(by time.Duration) Slot { return Slot{s.Start.Add(by), s.End.Add(by)} }

// TestChangeRefused: whatever refuses a change, the booking, its place and
// what it counts for stay as they were.
func TestChangeRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.CancelNoticeMinutes, room.MinNoticeMinutes = 60, 30
		save(t, s, room)
		made := book1(t, s, at(t, "music", "li", 9))
		book1(t, s, at(t, "music", "wang", 10))
		for _, days := range []int{1} {
			for _, hour := range []int{8, 9} {
				o := at(t, "music", "li", hour)
				o.Slot = o.shifted(time.Duration(days) * 24 * time.Hour)
				book1(t, s, o)
			}
		}
		full := at(t, "music", "li", 14)
		full.Slot = full.shifted(24 * time.Hour)
		before := look(t.Context(), t, s, full.Now)
		for name, c := range map[string]struct {
			now  string
			to   Request
			rule Rule
		}{
			"taken":            {"07:30", at(t, "music", "li", 10).Request, ""},
			"partly taken":     {"07:30", Request{Slot: Slot{oclock(t, "09:00"), oclock(t, "11:00")}}, ""},
			"the day's limit":  {"07:30", full.Request, RuleDailyLimit},
			"closed":           {"07:30", at(t, "music", "li", 12).Request, RuleOutsideOpeningHours},
			"no such place":    {"07:30", Request{Slot: made.Slot, Place: 2}, RuleUnknownPlace},
			"too late":         {"07:40", at(t, "music", "li", 8).Request, RuleTooLate},
			"too late to move": {"08:01", at(t, "music", "li", 14).Request, RuleCancelNotice},
			"begun":            {"09:00", at(t, "music", "li", 14).Request, RuleAlreadyBegun},
		} {
			t.Run(name, func(t *testing.T) {
				_, changed, err := s.Change(t.Context(), act(t, "li", made.ID, oclock(t, c.now)), at(t, "music", "li", 9).Party, c.to)
				if c.rule != "" {
					wantRefusal(t, err, c.rule)
				} else if !errors.Is(err, ErrTaken) {
					t.Errorf("got %v, want %v", err, ErrTaken)
				}
				if after := look(t.Context(), t, s, full.Now); changed || !sameWhole(before, after) {
					t.Errorf("refused, and changed to %+v", after)
				}
			})
		}
	})
}

func TestChangeAsksForApprovalAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.Approval = v1alpha1.ApprovalStaff
		save(t, s, room)
		made := book1(t, s, at(t, "music", "li", 9))
		if made.State != StateRequested || !made.DueAt.Equal(made.Start) {
			t.Errorf("made %+v", made)
		}
		party, now := at(t, "music", "li", 9).Party, made.CreatedAt
		if _, _, err := s.Approve(t.Context(), byStaff(t, made.ID, now)); err != nil {
			t.Fatal(err)
		}
		stateIs(t, s, made.ID, StateBooked)
		if b, _, err := s.Change(t.Context(), act(t, "li", made.ID, now), party, at(t, "music", "li", 10).Request); err != nil || b.State != StateRequested {
			t.Errorf("changed by the person: %+v, %v", b, err)
		}
		party.Staff = true
		if b, _, err := s.Change(t.Context(), byStaff(t, made.ID, now), party, at(t, "music", "li", 11).Request); err != nil || b.State != StateBooked || !b.DueAt.IsZero() {
			t.Errorf("changed by staff: %+v, %v", b, err)
		}
		checkInvariants(t, s)
	})
}

func TestChangeIsCheckedInAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.NoShowMinutes = 15
		save(t, s, room)
		made := book1(t, s, at(t, "music", "li", 9))
		now := oclock(t, "08:50")
		if _, _, err := s.CheckIn(t.Context(), byStaff(t, made.ID, now), ""); err != nil {
			t.Fatal(err)
		}
		longer := Request{Slot: Slot{made.Start, made.End.Add(time.Hour)}}
		party := at(t, "music", "li", 9).Party
		if b, _, err := s.Change(t.Context(), act(t, "li", made.ID, now), party, longer); err != nil || b.CheckedInAt.IsZero() || !b.DueAt.IsZero() {
			t.Errorf("longer, after checking in: %+v, %v", b, err)
		}
		b, _, err := s.Change(t.Context(), act(t, "li", made.ID, now), party, at(t, "music", "li", 14).Request)
		if err != nil || !b.CheckedInAt.IsZero() || !b.DueAt.Equal(oclock(t, "14:15")) {
			t.Errorf("later, after checking in: %+v, %v", b, err)
		}
		stateIs(t, s, made.ID, StateBooked)
		checkInvariants(t, s)
	})
}

func TestApproveAndRefuse(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.Approval, room.NoShowMinutes = v1alpha1.ApprovalStaff, 15
		save(t, s, room)
		first, second := book1(t, s, at(t, "music", "li", 9)), book1(t, s, at(t, "music", "wang", 10))
		now := first.CreatedAt
		if waiting, err := s.Requested(t.Context()); err != nil || len(waiting) != 2 || waiting[0].ID != first.ID {
			t.Errorf("waiting for approval: %+v, %v", waiting, err)
		}
		for _, want := range []bool{true, false} { // again is no error
			b, changed, err := s.Approve(t.Context(), byStaff(t, first.ID, now))
			if err != nil || changed != want || b.State != StateBooked || !b.DueAt.Equal(oclock(t, "09:15")) || b.Sequence != 1 {
				t.Errorf("approved %+v, %v, %v", b, changed, err)
			}
			b, changed, err = s.Refuse(t.Context(), byStaff(t, second.ID, now), "合唱团排练")
			if err != nil || changed != want || b.State != StateRefused || b.Reason != "合唱团排练" {
				t.Errorf("refused %+v, %v, %v", b, changed, err)
			}
		}
		checkInvariants(t, s)
		book1(t, s, at(t, "music", "zhao", 10)) // the refused one holds nothing
		_, _, err := s.Refuse(t.Context(), byStaff(t, first.ID, now), "")
		wantRefusal(t, err, RuleNotRequested)
		_, _, err = s.Approve(t.Context(), byStaff(t, second.ID, now))
		wantRefusal(t, err, RuleNotRequested)
		late := book1(t, s, at(t, "music", "qian", 11))
		_, _, err = s.Approve(t.Context(), byStaff(t, late.ID, late.Start))
		wantRefusal(t, err, RuleNotRequested)
		// What the staff book needs nobody's approval.
		o := at(t, "music", "guest", 14)
		o.Staff = true
		if b := book1(t, s, o); b.State != StateBooked {
			t.Errorf("booked by staff: %+v", b)
		}
	})
}

func TestCancelLate(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.CancelNoticeMinutes = 60
		save(t, s, room)
		made := book1(t, s, at(t, "music", "li", 9))
		_, _, err := s.Cancel(t.Context(), act(t, "li", made.ID, oclock(t, "08:30")), "")
		wantRefusal(t, err, RuleCancelNotice)
		b, changed, err := s.Cancel(t.Context(), byStaff(t, made.ID, oclock(t, "09:30")), "没有来")
		if err != nil || !changed || b.State != StateCancelled || b.Reason != "没有来" || !b.EndedAt.Equal(oclock(t, "09:30")) || b.Sequence != 1 {
			t.Errorf("cancelled by staff: %+v, %v, %v", b, changed, err)
		}
		over := book1(t, s, at(t, "music", "li", 10))
		_, _, err = s.Cancel(t.Context(), byStaff(t, over.ID, over.End), "")
		wantRefusal(t, err, RuleAlreadyOver)
		checkInvariants(t, s)
	})
}

func TestPresent(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := studyRoom()
		room.NoShowMinutes = 15
		save(t, s, room)
		door := func(person string, hour int) Order {
			o := at(t, "study", person, hour)
			o.Present, o.Now = true, oclock(t, "09:20")
			return o
		}
		if b := book1(t, s, door("li", 9)); !b.CheckedInAt.Equal(oclock(t, "09:20")) || !b.DueAt.IsZero() {
			t.Errorf("the rest of a slot: %+v", b)
		}
		if b := book1(t, s, door("wang", 14)); !b.CheckedInAt.IsZero() || !b.DueAt.Equal(oclock(t, "14:15")) {
			t.Errorf("at the door for the afternoon: %+v", b)
		}
		// By phone for the running slot: a quarter from now to come.
		o := at(t, "study", "zhao", 9)
		o.Staff, o.Now = true, oclock(t, "09:20")
		if b := book1(t, s, o); !b.DueAt.Equal(oclock(t, "09:35")) {
			t.Errorf("by phone: %+v", b)
		}
		if _, err := s.Advance(t.Context(), oclock(t, "09:20"), o.Location); err != nil {
			t.Fatal(err)
		}
		checkSettled(t, s, oclock(t, "09:20"))
		// A closure that has passed is in nobody's way.
		if _, _, _, err := s.Close(t.Context(), ClosureOrder{Closure: Closure{Venue: "study", Slot: Slot{oclock(t, "10:00"), oclock(t, "10:15")}, By: "desk"}, Now: oclock(t, "09:30"), Location: o.Location}); err != nil {
			t.Fatal(err)
		}
		late := door("li", 10)
		late.Now = oclock(t, "10:10")
		_, _, err := s.Book(t.Context(), late)
		wantRefusal(t, err, RuleClosure)
		late.Now = oclock(t, "10:20")
		book1(t, s, late)
	})
}

func TestCheckIn(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.NoShowMinutes = 15
		save(t, s, room)
		code, err := s.DoorCode(t.Context(), "music")
		if err != nil || len(code) != doorCodeDigits {
			t.Fatalf("code %q, %v", code, err)
		}
		if again, err := s.DoorCode(t.Context(), "music"); err != nil || again != code {
			t.Errorf("code %q, then %q, %v", code, again, err)
		}
		made := book1(t, s, at(t, "music", "li", 9))
		now := oclock(t, "09:05")
		_, _, err = s.CheckIn(t.Context(), act(t, "li", made.ID, now), "wrong")
		wantRefusal(t, err, RuleWrongCode)
		_, _, err = s.CheckIn(t.Context(), act(t, "li", made.ID, oclock(t, "08:30")), code)
		wantRefusal(t, err, RuleTooEarly)
		for _, want := range []bool{true, false} {
			b, changed, err := s.CheckIn(t.Context(), act(t, "li", made.ID, now), code)
			if err != nil || changed != want || !b.CheckedInAt.Equal(now) || !b.DueAt.IsZero() {
				t.Errorf("checked in %+v, %v, %v", b, changed, err)
			}
		}
		if done, err := s.Advance(t.Context(), made.End, at(t, "music", "li", 9).Location); err != nil || done != (Advanced{}) {
			t.Errorf("%+v, %v", done, err)
		}
		// A new code makes the old one worth nothing; a venue whose code nobody
		// has asked for lets nobody in with an empty one.
		fresh, err := s.RenewDoorCode(t.Context(), byStaff(t, uuid.Nil, made.Start), "music")
		if err != nil || fresh == code {
			t.Errorf("renewed %q to %q, %v", code, fresh, err)
		}
		other, study := book1(t, s, at(t, "music", "wang", 10)), book1(t, s, at(t, "study", "wang", 10))
		_, _, err = s.CheckIn(t.Context(), act(t, "wang", other.ID, other.Start), code)
		wantRefusal(t, err, RuleWrongCode)
		_, _, err = s.CheckIn(t.Context(), act(t, "wang", study.ID, study.Start), "")
		wantRefusal(t, err, RuleWrongCode)
		if _, err := s.DoorCode(t.Context(), "pool"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the door of no venue: %v", err)
		}
		checkInvariants(t, s)
	})
}

func TestReplayedAsMade(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		room := musicRoom()
		room.Approval, room.NoShowMinutes = v1alpha1.ApprovalStaff, 15
		save(t, s, room)
		for name, staff := range map[string]bool{"li": false, "guest": true} {
			o := at(t, "music", name, 9)
			o.Key, o.Staff = "k", staff
			made := book1(t, s, o)
			a := byStaff(t, made.ID, o.Now)
			party := o.Party
			party.Staff = true
			if _, _, err := s.Change(t.Context(), a, party, at(t, "music", name, 10).Request); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Cancel(t.Context(), a, "heating"); err != nil {
				t.Fatal(err)
			}
			if again, replayed, err := s.Book(t.Context(), o); err != nil || !replayed || again != made {
				t.Errorf("%s: repeated %+v, %v, %v; made %+v", name, again, replayed, err, made)
			}
		}
	})
}
