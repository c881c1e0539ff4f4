package booking

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// TestAnySequenceOfOperations has residents and staff do anything in any order
// while time goes by, and looks after each step at all that there is.
func TestAnySequenceOfOperations(t *testing.T) {
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		set(t, "rapid.steps", "50")
		if db.Engine() == database.Postgres {
			set(t, "rapid.checks", "15")
		}
		loc := zone(t, "Asia/Shanghai")
		rapid.Check(t, func(t *rapid.T) {
			m := &machine{ctx: t.Context(), s: NewStore(db), loc: loc, now: time.Date(2026, 11, 23, 7, 30, 0, 0, loc)}
			m.begin(t)
			t.Repeat(map[string]func(*rapid.T){
				"": m.check,

				"book": m.book, "book for a guest": m.bookByStaff, "book again by key": m.bookAgain, "book until it is full": m.fill, "fill another": m.fill,
				"change": m.change, "cancel": m.cancel, "cancel another": m.cancel, "accept": m.accept, "answer a request": m.answer, "check in": m.checkIn,
				"join": m.join, "leave": m.leave, "series": m.series, "cancel series": m.cancelSeries,
				"close": m.close, "reopen": m.reopen, "save venue": m.saveVenue, "retire venue": m.retireVenue, "member": m.member,
				"time": m.time, "advance": m.advance, "count": m.count,
			})
			m.end(t)
		})
	})
}

// set sets a flag of rapid's during a test.
func set(t testing.TB, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, before); err != nil {
			t.Error(err)
		}
	})
}

// smallVenues are venues with few slots, so that people meet.
func smallVenues() []v1alpha1.Venue {
	hours := []v1alpha1.OpeningHours{{Days: everyDay, From: "08:00", To: "11:00"}}
	venue := v1alpha1.Venue{Hours: hours, SlotMinutes: 60, MaxSlotsPerBooking: 2, BookingWindowDays: 8, MaxPerResidentPerDay: 2}
	room, seats, clinic, hall := venue, venue, venue, venue
	room.Name, room.Kind, room.BufferMinutes = "room", v1alpha1.VenueRoom, 15
	seats.Name, seats.Kind, seats.Seats, seats.NoShowMinutes, seats.MaxPerResidentPerWeek = "seats", v1alpha1.VenueSeats, 2, 15, 3
	clinic.Name, clinic.Kind, clinic.CancelNoticeMinutes = "clinic", v1alpha1.VenueAttended, 30
	clinic.Attendants = []v1alpha1.Attendant{
		{Name: "wang", Hours: []v1alpha1.OpeningHours{{Days: everyDay, From: "09:00", To: "11:00"}}}, {Name: "li"},
	}
	hall.Name, hall.Kind, hall.Approval, hall.MinNoticeMinutes = "hall", v1alpha1.VenueRoom, v1alpha1.ApprovalStaff, 30
	hall.Access, hall.NoShowMinutes = v1alpha1.AccessMembers, 30
	return []v1alpha1.Venue{room, seats, clinic, hall}
}

// machine is a store, what time it is, and what the last step was.
type machine struct {
	ctx context.Context
	s   *Store
	loc *time.Location
	now time.Time

	// before is all there was before the last step.
	before whole
	// may says which bookings the last step was to change or make; offers may
	// be made by every step.
	may func(Booking) bool
	// stale says that the waiting list may be served by the next Advance only.
	stale bool
	// keys are the orders that were done, by their keys.
	keys []Order
	made map[string]Booking
}

func (m *machine) begin(t *rapid.T) {
	err := m.s.db.Write(m.ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, table := range []string{"bookings", "cells", "quotas", "idempotency", "waiting", "closures", "members", "venues", "past_use"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE counted SET up_to = ''")
		return err
	})
	if err == nil {
		err = m.s.SyncVenues(m.ctx, v1alpha1.ManagedByManifest, smallVenues(), m.now)
	}
	for _, p := range []string{"p1", "p2"} {
		if err == nil {
			err = m.s.AddMember(m.ctx, Member{Venue: "hall", Person: p, AddedBy: "desk", AddedAt: m.now})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	m.made = map[string]Booking{}
	m.nothing()
	m.before = look(m.ctx, t, m.s, m.now)
}

// nothing says that the step was to change no booking.
func (m *machine) nothing() { m.may = func(Booking) bool { return false } }

// only says that the step was to change one booking.
func (m *machine) only(id uuid.UUID) { m.may = func(b Booking) bool { return b.ID == id } }

// check finds what the last step broke.
func (m *machine) check(t *rapid.T) {
	w := look(m.ctx, t, m.s, m.now)
	faults := slices.Concat(w.faults(), w.unfair(m.before, m.now, m.loc))
	if !m.stale {
		faults = append(faults, w.forgotten(m.now, m.loc)...)
	}
	now := map[uuid.UUID]Booking{}
	for _, b := range w.bookings {
		now[b.ID] = b
	}
	for _, was := range m.before.bookings {
		b, ok := now[was.ID]
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("booking %s is lost", was.ID))
		case b == was:
		case !m.may(was):
			faults = append(faults, fmt.Sprintf("booking %s was changed from %+v to %+v by what does not touch it", b.ID, was, b))
		case b.Sequence <= was.Sequence:
			faults = append(faults, fmt.Sprintf("booking %s was changed from sequence %d to %d", b.ID, was.Sequence, b.Sequence))
		case !was.Live():
			faults = append(faults, fmt.Sprintf("booking %s was over, and is %s", b.ID, b.State))
		}
		delete(now, was.ID)
	}
	for _, b := range w.bookings {
		i := slices.IndexFunc(m.before.bookings, func(was Booking) bool { return was.ID == b.ID })
		placed := i < 0 || m.before.bookings[i].Slot != b.Slot || m.before.bookings[i].Place != b.Place
		if v := w.venues[b.Venue]; placed && b.Live() && (!b.busyUntil.Equal(v.Busy(b.Slot).End) || !v.hasPlace(b.Place)) {
			faults = append(faults, fmt.Sprintf("booking %s keeps place %d until %s", b.ID, b.Place, b.busyUntil))
		}
	}
	for _, b := range now {
		if b.State != StateHeld && !m.may(b) {
			faults = append(faults, fmt.Sprintf("booking %+v was made by what makes none", b))
		}
	}
	for _, was := range m.before.entries {
		if !slices.ContainsFunc(w.entries, func(e Entry) bool { return e.ID == was.ID }) {
			faults = append(faults, fmt.Sprintf("entry %s is lost", was.ID))
		}
	}
	if use := m.use(t); !slices.Equal(use, w.use()) {
		faults = append(faults, fmt.Sprintf("the use is said to be %v, it is %v", use, w.use()))
	}
	if len(faults) > 0 {
		t.Fatalf("%v: %q", m.now, faults)
	}
	m.before = w
	m.nothing()
}

// stored checks that what was answered is what is kept.
func (m *machine) stored(t *rapid.T, b Booking) {
	got, err := m.s.Booking(m.ctx, Reach{Staff: true}, b.ID)
	if err != nil || got != b {
		t.Fatalf("answered %+v, kept %+v, %v", b, got, err)
	}
}

// denied reports whether an operation was not done; then nothing has changed.
func (m *machine) denied(t *rapid.T, err error) bool {
	if err == nil {
		return false
	}
	if _, ok := errors.AsType[*Refusal](err); !ok && !errors.Is(err, ErrTaken) && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if !sameWhole(m.before, look(m.ctx, t, m.s, m.now)) {
		t.Fatalf("changed by what was refused: %v", err)
	}
	return true
}

var (
	anyPerson = rapid.SampledFrom([]string{"p1", "p2", "p3", "p4"})
	anyPlace  = rapid.SampledFrom([]int{0, 0, 0, 1, 2})
	often     = rapid.SampledFrom([]bool{true, true, true, false})
)

// span draws when: mostly soon, so that people meet.
func (m *machine) span(t *rapid.T) Slot {
	day := DateOf(m.now.Add(13*time.Hour+30*time.Minute), m.loc).AddDays(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 7}).Draw(t, "days ahead"))
	start, _ := day.At(60*rapid.IntRange(8, 10).Draw(t, "hour"), m.loc)
	return Slot{Start: start, End: start.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "slots")) * time.Hour)}
}

func (m *machine) order(t *rapid.T) Order {
	p := anyPerson.Draw(t, "person")
	return Order{
		Request: Request{
			Venue: rapid.SampledFrom([]string{"room", "seats", "clinic", "hall"}).Draw(t, "venue"), Slot: m.span(t), Place: anyPlace.Draw(t, "place"),
		},
		Party: Party{Person: p, BookedBy: p}, Now: m.now, Location: m.loc,
	}
}

// pick draws one of the bookings for which something is so.
func (m *machine) pick(t *rapid.T, so func(Booking) bool) Booking {
	some := slices.DeleteFunc(slices.Clone(m.before.bookings), func(b Booking) bool { return !so(b) })
	if len(some) == 0 {
		t.Skip("there is none")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(t, "booking")]
}

func state(s State) func(Booking) bool { return func(b Booking) bool { return b.State == s } }

// by is an act of the person of a booking, or of staff.
func (m *machine) by(b Booking, staff bool) Act {
	return Act{Reach: Reach{Actor: b.Person, Persons: []string{b.Person}, Staff: staff}, ID: b.ID, Now: m.now, Location: m.loc}
}

// settled ends a step that was to change one booking.
func (m *machine) settled(t *rapid.T, b Booking, err error) {
	if m.denied(t, err) {
		return
	}
	m.only(b.ID)
	m.stored(t, b)
}

func (m *machine) book(t *rapid.T) {
	o := m.order(t)
	o.Present = rapid.IntRange(0, 7).Draw(t, "at the door") == 0
	o.Key = rapid.SampledFrom([]string{"", uuid.NewString()}).Draw(t, "key")
	b, replayed, err := m.s.Book(m.ctx, o)
	if replayed {
		t.Fatal("a new order was answered with another's booking")
	}
	m.settled(t, b, err)
	if err == nil && o.Key != "" {
		m.keys = append(m.keys, o)
		m.made[o.Key] = b
	}
}

func (m *machine) bookByStaff(t *rapid.T) {
	o := m.order(t)
	o.Staff, o.BookedBy = true, "desk"
	o.Present = rapid.Bool().Draw(t, "at the desk")
	b, _, err := m.s.Book(m.ctx, o)
	if b.State == StateRequested {
		t.Fatal("the staff's own booking waits for approval")
	}
	m.settled(t, b, err)
}

// bookAgain repeats an order under its key: nothing is done, and the answer is
// the one it had.
func (m *machine) bookAgain(t *rapid.T) {
	if len(m.keys) == 0 {
		t.Skip("there is none")
	}
	o := m.keys[rapid.IntRange(0, len(m.keys)-1).Draw(t, "order")]
	o.Now = m.now
	b, replayed, err := m.s.Book(m.ctx, o)
	was := m.made[o.Key]
	b.Place, b.busyUntil, b.DueAt, was.Place, was.busyUntil, was.DueAt = 0, time.Time{}, time.Time{}, 0, time.Time{}, time.Time{}
	if err != nil || !replayed || b != was {
		t.Fatalf("repeated: %+v, replayed %v, %v; made %+v", b, replayed, err, was)
	}
}

// fill books a span until it is full; the others wait.
func (m *machine) fill(t *rapid.T) {
	o := m.order(t)
	made := map[uuid.UUID]bool{}
	m.may = func(b Booking) bool { return made[b.ID] }
	for _, p := range rapid.Permutation([]string{"p1", "p2", "p3", "p4"}).Draw(t, "people") {
		o.Person = p
		b, _, err := m.s.Book(m.ctx, o)
		made[b.ID] = err == nil
		if errors.Is(err, ErrTaken) {
			_, err = m.s.Join(m.ctx, o)
		}
		if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
			t.Fatal(err)
		}
	}
}

func (m *machine) change(t *rapid.T) {
	b := m.pick(t, Booking.Live)
	to := Request{Venue: b.Venue, Slot: m.span(t), Place: anyPlace.Draw(t, "place")}
	a := m.by(b, rapid.Bool().Draw(t, "staff"))
	after, changed, err := m.s.Change(m.ctx, a, Party{Person: b.Person, BookedBy: b.Person, Staff: a.Staff}, to)
	m.settled(t, after, err)
	if err == nil && changed && (!after.Start.Equal(to.Start) || !after.End.Equal(to.End) || to.Place != 0 && after.Place != to.Place) {
		t.Fatalf("wanted %+v, got %+v", to, after)
	}
}

func (m *machine) cancel(t *rapid.T) {
	b := m.pick(t, Booking.Live)
	after, _, err := m.s.Cancel(m.ctx, m.by(b, rapid.Bool().Draw(t, "staff")), "ill")
	m.settled(t, after, err)
	if err == nil && after.State != StateCancelled {
		t.Fatalf("cancelled, it is %s", after.State)
	}
}

func (m *machine) accept(t *rapid.T) {
	b := m.pick(t, state(StateHeld))
	after, _, err := m.s.Accept(m.ctx, m.by(b, rapid.Bool().Draw(t, "staff")))
	m.settled(t, after, err)
	if ended := !b.DueAt.After(m.now); ended != (err != nil) {
		t.Fatalf("accepted at %s what was held until %s: %v", m.now, b.DueAt, err)
	}
}

func (m *machine) answer(t *rapid.T) {
	b := m.pick(t, state(StateRequested))
	if rapid.Bool().Draw(t, "approve") {
		after, _, err := m.s.Approve(m.ctx, m.by(b, true))
		m.settled(t, after, err)
		return
	}
	after, _, err := m.s.Refuse(m.ctx, m.by(b, true), "not today")
	m.settled(t, after, err)
}

func (m *machine) checkIn(t *rapid.T) {
	b := m.pick(t, state(StateBooked))
	after, _, err := m.s.CheckIn(m.ctx, m.by(b, true), "")
	m.settled(t, after, err)
}

func (m *machine) join(t *rapid.T) {
	o := m.order(t)
	if often.Draw(t, "for what is taken") {
		b := m.pick(t, Booking.Live)
		o.Venue, o.Slot, o.Place = b.Venue, b.Slot, rapid.SampledFrom([]int{0, b.Place}).Draw(t, "that place")
		if rapid.IntRange(0, 2).Draw(t, "before it") == 0 { // where a buffer is in the way
			o.Slot = Slot{b.Start.Add(-time.Hour), b.Start}
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "by staff") == 0 {
		o.Staff, o.BookedBy = true, "desk"
	}
	e, err := m.s.Join(m.ctx, o)
	if m.denied(t, err) {
		return
	}
	if again, err := m.s.Join(m.ctx, o); err != nil || again != e {
		t.Fatalf("joined %+v, again %+v, %v", e, again, err)
	}
}

func (m *machine) leave(t *rapid.T) {
	if len(m.before.entries) == 0 {
		t.Skip("there is none")
	}
	e := m.before.entries[rapid.IntRange(0, len(m.before.entries)-1).Draw(t, "entry")]
	a := Act{Reach: only(e.Person), ID: e.ID, Now: m.now, Location: m.loc}
	after, err := m.s.Leave(m.ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := m.s.Entry(m.ctx, a.Reach, e.ID); err != nil || kept.State != after.State {
		t.Fatalf("answered %+v, kept %+v, %v", after, kept, err)
	}
	open := e.State == EntryWaiting || e.State == EntryOffered
	if open && after.State != EntryLeft || !open && after != e {
		t.Fatalf("left %+v, it is %+v", e, after)
	}
	if e.State == EntryOffered {
		m.only(e.Booking)
	}
}

func (m *machine) series(t *rapid.T) {
	o := SeriesOrder{Order: m.order(t), AllOrNothing: rapid.Bool().Draw(t, "all or nothing"), Try: rapid.IntRange(0, 3).Draw(t, "try") == 0}
	o.Until = DateOf(o.Start, m.loc).AddDays(rapid.SampledFrom([]int{0, 7, 14}).Draw(t, "until"))
	id, weeks, err := m.s.BookSeries(m.ctx, o)
	if err == nil && (id == uuid.Nil || o.Try) {
		err = ErrTaken // nothing was booked
	}
	if m.denied(t, err) {
		return
	}
	m.may = func(b Booking) bool { return b.Series == id }
	for _, week := range weeks {
		if week.Err == nil {
			m.stored(t, week.Booking)
		} else if o.AllOrNothing {
			t.Fatalf("not all were booked: %v", week.Err)
		}
	}
}

func (m *machine) cancelSeries(t *rapid.T) {
	b := m.pick(t, func(b Booking) bool { return b.Live() && b.Series != uuid.Nil })
	a := m.by(b, rapid.Bool().Draw(t, "staff"))
	a.ID = b.Series
	if _, err := m.s.CancelSeries(m.ctx, a, ""); err != nil {
		t.Fatal(err)
	}
	m.may = func(o Booking) bool { return o.Series == b.Series && o.Start.After(m.now) }
}

func (m *machine) close(t *rapid.T) {
	o := ClosureOrder{
		Closure: Closure{Venue: rapid.SampledFrom([]string{"room", "seats", "clinic", "hall"}).Draw(t, "venue"), Slot: m.span(t), Place: rapid.IntRange(0, 2).Draw(t, "place"), By: "desk"},
		Move:    often.Draw(t, "move"), Try: rapid.IntRange(0, 3).Draw(t, "try") == 0, Now: m.now, Location: m.loc,
	}
	if often.Draw(t, "where there are bookings") {
		b := m.pick(t, Booking.Live)
		o.Venue, o.Slot, o.Place = b.Venue, b.Slot, rapid.SampledFrom([]int{0, b.Place}).Draw(t, "that place")
	}
	minutes := func(name string) time.Duration {
		return time.Duration(rapid.SampledFrom([]int{-30, 0, 0, 45}).Draw(t, name)) * time.Minute
	}
	o.Start, o.End = o.Start.Add(minutes("start")), o.End.Add(minutes("end"))
	c, affected, _, err := m.s.Close(m.ctx, o)
	if m.denied(t, err) || o.Try && m.denied(t, ErrTaken) {
		return
	}
	gone := map[uuid.UUID]bool{}
	for _, b := range m.before.bookings {
		gone[b.ID] = b.Live() && b.Venue == c.Venue && (c.Place == 0 || b.Place == c.Place) && b.Overlaps(c.Slot) && b.End.After(m.now)
	}
	m.may = func(b Booking) bool { return gone[b.ID] }
	for _, a := range affected {
		if !gone[a.Before.ID] || a.After.Live() && (!o.Move || a.After.Start.Before(a.Before.Start) || a.After.State != a.Before.State) {
			t.Fatalf("%+v gave way: %+v", a.Before, a.After)
		}
		m.stored(t, a.After)
		if e, ok := m.offered(a.Before.ID); ok {
			kept, err := m.s.Entry(m.ctx, only(e.Person), e.ID)
			if err != nil || kept.State != EntryWaiting && kept.State != EntryOffered || kept.Booking == a.Before.ID {
				t.Fatalf("the offer of %+v gave way, it is %+v, %v", e, kept, err)
			}
		}
		delete(gone, a.Before.ID)
		defer func() { gone[a.Before.ID] = true }()
	}
	for id, left := range gone {
		if left {
			t.Fatalf("booking %s does not give way", id)
		}
	}
}

// offered is the entry to which a booking was held.
func (m *machine) offered(booking uuid.UUID) (Entry, bool) {
	i := slices.IndexFunc(m.before.entries, func(e Entry) bool { return e.State == EntryOffered && e.Booking == booking })
	if i < 0 {
		return Entry{}, false
	}
	return m.before.entries[i], true
}

// desk is an act of the front desk.
func (m *machine) desk(id uuid.UUID) Act {
	return Act{Reach: Reach{Actor: "desk", Staff: true}, ID: id, Now: m.now, Location: m.loc}
}

func (m *machine) reopen(t *rapid.T) {
	if len(m.before.closures) == 0 {
		t.Skip("there is none")
	}
	c := m.before.closures[rapid.IntRange(0, len(m.before.closures)-1).Draw(t, "closure")]
	if err := m.s.Reopen(m.ctx, m.desk(c.ID)); err != nil {
		t.Fatal(err)
	}
}

// saveVenue changes what may change under bookings; limits and no-shows stay,
// so that they can be checked.
func (m *machine) saveVenue(t *rapid.T) {
	v := smallVenues()[rapid.IntRange(0, 3).Draw(t, "venue")]
	switch v.Name {
	case "room":
		v.BufferMinutes = rapid.SampledFrom([]int32{0, 15, 60}).Draw(t, "buffer")
	case "seats":
		v.Seats = rapid.Int32Range(1, 3).Draw(t, "seats")
	case "clinic":
		if rapid.Bool().Draw(t, "Wang is always there") {
			v.Attendants[0].Hours = nil
		}
		if rapid.Bool().Draw(t, "Li has left") {
			v.Attendants = v.Attendants[:1]
		}
	case "hall":
		v.MinNoticeMinutes = rapid.SampledFrom([]int32{0, 30, 120}).Draw(t, "notice")
	}
	if err := m.s.SaveVenue(m.ctx, m.desk(uuid.Nil), v); err != nil {
		t.Fatal(err)
	}
	m.stale = true
}

func (m *machine) retireVenue(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("not often")
	}
	v := smallVenues()[rapid.IntRange(0, 3).Draw(t, "venue")].Name
	live := slices.ContainsFunc(m.before.bookings, func(b Booking) bool { return b.Live() && b.Venue == v && b.End.After(m.now) })
	if err := m.s.RetireVenue(m.ctx, m.desk(uuid.Nil), v); live != errors.Is(err, ErrInUse) || err != nil && !live && !errors.Is(err, ErrNotFound) {
		t.Fatalf("retired %s with bookings %v: %v", v, live, err)
	}
}

func (m *machine) member(t *rapid.T) {
	p := anyPerson.Draw(t, "person")
	m.stale = true
	err := m.s.RemoveMember(m.ctx, m.desk(uuid.Nil), "hall", p)
	if often.Draw(t, "is") {
		err = m.s.AddMember(m.ctx, Member{Venue: "hall", Person: p, AddedBy: "desk", AddedAt: m.now})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) time(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 10, 16, 16, 31, 31, 60, 12 * 60}).Draw(t, "minutes")) * time.Minute)
}

func (m *machine) advance(t *rapid.T) {
	if _, err := m.s.Advance(m.ctx, m.now, m.loc); err != nil {
		t.Fatal(err)
	}
	w := look(m.ctx, t, m.s, m.now)
	if overdue := w.overdue(m.now); len(overdue) > 0 {
		t.Fatalf("%v: %q", m.now, overdue)
	}
	if again, err := m.s.Advance(m.ctx, m.now, m.loc); err != nil || again != (Advanced{}) {
		t.Fatalf("done twice: %+v, %v", again, err)
	}
	m.stale = false
	m.may = func(b Booking) bool { return !b.DueAt.IsZero() && !b.DueAt.After(m.now) }
}

// use is all use as the store says it is.
func (m *machine) use(t *rapid.T) []Use {
	uses, err := m.s.Use(m.ctx, "2026-01", "2029-12")
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

// count adds up what is over, some days later or at once, whether what was due
// in them has been done or not.
func (m *machine) count(t *rapid.T) {
	m.now = m.now.AddDate(0, 0, rapid.SampledFrom([]int{0, 1, 3, 12}).Draw(t, "days"))
	if err := m.s.countPast(m.ctx, m.now); err != nil {
		t.Fatal(err)
	}
}

// end has everything be over for long: what is left are the numbers.
func (m *machine) end(t *rapid.T) {
	m.now = m.now.AddDate(2, 0, 0)
	if _, err := m.s.Advance(m.ctx, m.now, m.loc); err != nil {
		t.Fatal(err)
	}
	want := look(m.ctx, t, m.s, m.now).use()
	for range 2 {
		if _, err := m.s.Erase(m.ctx, m.now); err != nil {
			t.Fatal(err)
		}
		if use := m.use(t); !slices.Equal(use, want) {
			t.Fatalf("of bookings that are erased the use is said to be %v, it was %v", use, want)
		}
	}
	if left := look(m.ctx, t, m.s, m.now).bookings; len(left) > 0 {
		t.Fatalf("%d bookings are not erased", len(left))
	}
}
