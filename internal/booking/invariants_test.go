package booking

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// whole is all that a store has, at one moment when nobody writes.
type whole struct {
	bookings []Booking // in the order in which they were made
	cells    []cellRow
	quotas   []quotaRow
	entries  []Entry // in the order of joining
	closures []closureRow
	members  []memberRow
	venues   map[string]Venue // retired ones too
}

// look reads a store.
func look(ctx context.Context, t rapid.TB, s *Store, now time.Time) whole {
	t.Helper()
	db := s.db.Reader()
	var (
		w       whole
		rows    []bookingRow
		waiting []waitingRow
		venues  []venueRow
	)
	for _, err := range []error{
		db.NewSelect().Model(&rows).Order("id").Scan(ctx),
		db.NewSelect().Model(&w.cells).Scan(ctx),
		db.NewSelect().Model(&w.quotas).Scan(ctx),
		db.NewSelect().Model(&waiting).Order("joined_at", "id").Scan(ctx),
		db.NewSelect().Model(&w.closures).Order("id").Scan(ctx),
		db.NewSelect().Model(&w.members).Scan(ctx),
		db.NewSelect().Model(&venues).Scan(ctx),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.bookings, err = bookingsOf(rows); err != nil {
		t.Fatal(err)
	}
	w.entries = entriesOf(waiting)
	w.venues = map[string]Venue{}
	for _, row := range venues {
		v, err := row.withClosures(ctx, s.db.Query, now)
		if err != nil {
			t.Fatal(err)
		}
		w.venues[v.Name] = v
	}
	return w
}

// faults says what in a store does not agree with itself, whatever time it is.
func (w whole) faults() (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	cells := map[cellRow]uuid.UUID{}
	for _, b := range w.bookings {
		switch ended := !b.EndedAt.IsZero(); {
		case ended == b.Live():
			fault("booking %s is %s and ended: %v", b.ID, b.State, ended)
		case !b.Live() && !b.DueAt.IsZero():
			fault("booking %s is %s and something is due", b.ID, b.State)
		case (b.State == StateHeld || b.State == StateRequested) && (b.DueAt.IsZero() || b.DueAt.After(b.Start)):
			fault("booking %s is %s for ever, or beyond its start: %s", b.ID, b.State, b.DueAt)
		case b.State == StateBooked && b.DueAt.IsZero() != (w.venues[b.Venue].NoShow == 0 || !b.CheckedInAt.IsZero()):
			fault("booking %s, checked in at %s, is due at %s", b.ID, b.CheckedInAt, b.DueAt)
		}
		if !b.Live() {
			continue
		}
		from, to := Slot{b.Start, b.busyUntil}.Cells()
		for c := from; c < to; c++ {
			cell := cellRow{Venue: b.Venue, Cell: c, Place: b.Place}
			if other, ok := cells[cell]; ok {
				fault("bookings %s and %s hold place %d of %s at %s", other, b.ID, b.Place, b.Venue, time.Unix(c*300, 0))
			}
			cells[cell] = b.ID
		}
		for _, c := range w.closures {
			// The rest of a slot may be booked when a closure in it has passed.
			if c.EndedAt == nil && c.Venue == b.Venue && (c.Place == 0 || c.Place == b.Place) && c.closure().Overlaps(b.Slot) && c.EndAt > b.UpdatedAt.Unix() {
				fault("booking %s is live while %s is closed", b.ID, b.Venue)
			}
		}
	}
	for _, c := range w.cells {
		if _, ok := cells[c]; !ok {
			fault("cell %+v is held by no live booking", c)
		}
	}
	if len(w.cells) < len(cells) {
		fault("%d cells are held, live bookings need %d", len(w.cells), len(cells))
	}
	return slices.Concat(faults, w.quotaFaults(), w.offerFaults())
}

// quotaFaults compares what is counted with the bookings that count: live ones
// and those for which nobody came.
func (w whole) quotaFaults() (faults []string) {
	type period struct{ venue, person, period string }
	held := map[period]int{}
	want := map[quotaRow]bool{}
	for _, b := range w.bookings {
		if !b.Live() && b.State != StateReleased {
			continue
		}
		v := w.venues[b.Venue]
		periods := []string{b.Day.String()}
		if v.WeeklyLimit > 0 {
			periods = append(periods, b.Day.Week())
		}
		for i, p := range periods {
			want[quotaRow{Venue: b.Venue, Person: b.Person, Period: p, Booking: b.ID}] = true
			key := period{b.Venue, b.Person, p}
			held[key]++
			if limit := []int{v.DailyLimit, v.WeeklyLimit}[i]; held[key] > limit {
				faults = append(faults, fmt.Sprintf("%s has %d bookings at %s in %s, the limit is %d", b.Person, held[key], b.Venue, p, limit))
			}
		}
	}
	for _, q := range w.quotas {
		q.Ordinal = 0
		if !want[q] {
			faults = append(faults, fmt.Sprintf("%+v is counted twice or for nothing", q))
		}
		delete(want, q)
	}
	if len(want) > 0 {
		faults = append(faults, fmt.Sprintf("not counted: %v", want))
	}
	return faults
}

// offerFaults compares offers with what is held for them.
func (w whole) offerFaults() (faults []string) {
	offered := map[uuid.UUID]int{}
	for _, e := range w.entries {
		if e.State == EntryOffered {
			offered[e.Booking]++
		}
		if e.State == EntryWaiting && e.Booking != uuid.Nil {
			faults = append(faults, fmt.Sprintf("entry %s waits and has an offer", e.ID))
		}
	}
	for _, b := range w.bookings {
		switch {
		case b.State == StateHeld && offered[b.ID] != 1:
			faults = append(faults, fmt.Sprintf("booking %s is held for %d entries", b.ID, offered[b.ID]))
		case b.State == StateHeld:
			i := slices.IndexFunc(w.entries, func(e Entry) bool { return e.Booking == b.ID })
			if e := w.entries[i]; e.Person != b.Person || e.Venue != b.Venue || e.Slot != b.Slot || e.Place != 0 && e.Place != b.Place {
				faults = append(faults, fmt.Sprintf("booking %s is held for %s, which waits for something else", b.ID, e.ID))
			}
		case offered[b.ID] > 0:
			faults = append(faults, fmt.Sprintf("booking %s is offered and %s", b.ID, b.State))
		}
		delete(offered, b.ID)
	}
	if len(offered) > 0 {
		faults = append(faults, fmt.Sprintf("offered, but not held: %v", offered))
	}
	return faults
}

// overdue says what should have happened by a moment and has not.
func (w whole) overdue(now time.Time) (faults []string) {
	for _, b := range w.bookings {
		if b.Live() && !b.DueAt.IsZero() && !b.DueAt.After(now) {
			faults = append(faults, fmt.Sprintf("booking %s is %s, which was to end at %s", b.ID, b.State, b.DueAt))
		}
	}
	for _, e := range w.entries {
		if e.State == EntryWaiting && !e.Start.After(now) {
			faults = append(faults, fmt.Sprintf("entry %s waits for what has begun", e.ID))
		}
	}
	return faults
}

// mayHave reports whether the rules and the person's limits allow what an
// entry waits for.
func (w whole) mayHave(e Entry, now time.Time, loc *time.Location) bool {
	v := w.venues[e.Venue]
	asker := Asker{Staff: e.byStaff, Member: slices.ContainsFunc(w.members, func(m memberRow) bool { return m.Venue == e.Venue && m.Person == e.Person })}
	if !e.Start.After(now) || v.MembersOnly && !asker.Member && !asker.Staff || v.checkTime(Request{Slot: e.Slot, Place: e.Place}, asker, now, loc) != nil {
		return false
	}
	day, week := 0, 0
	for _, b := range w.bookings {
		if (b.Live() || b.State == StateReleased) && b.Venue == e.Venue && b.Person == e.Person && b.Day.Week() == DateOf(e.Start, loc).Week() {
			week++
			if b.Day == DateOf(e.Start, loc) {
				day++
			}
		}
	}
	return day < v.DailyLimit && (v.WeeklyLimit == 0 || week < v.WeeklyLimit)
}

// couldHave reports whether an entry waits although it need not.
func (w whole) couldHave(e Entry, now time.Time, loc *time.Location) bool {
	if !w.mayHave(e, now, loc) {
		return false
	}
	v := w.venues[e.Venue]
	return slices.ContainsFunc(v.PlacesAt(e.Slot, loc), func(place int) bool {
		return (e.Place == 0 || e.Place == place) && !slices.ContainsFunc(w.bookings, func(b Booking) bool {
			return b.Live() && b.Venue == e.Venue && b.Place == place && Slot{b.Start, b.busyUntil}.Overlaps(v.Busy(e.Slot))
		})
	})
}

// forgotten says who waits for what they could have.
func (w whole) forgotten(now time.Time, loc *time.Location) (faults []string) {
	for _, e := range w.entries {
		if e.State == EntryWaiting && w.couldHave(e, now, loc) {
			faults = append(faults, fmt.Sprintf("%s waits for %s at %s, which is free", e.Person, e.Venue, e.Start))
		}
	}
	return faults
}

// unfair says who was offered a place since before although somebody who may
// have it joined the same list earlier and still waits.
func (w whole) unfair(before whole, now time.Time, loc *time.Location) (faults []string) {
	for i, late := range w.entries {
		was := slices.IndexFunc(before.entries, func(e Entry) bool { return e.ID == late.ID })
		if late.State != EntryOffered || was >= 0 && before.entries[was].Booking == late.Booking {
			continue
		}
		for _, early := range w.entries[:i] {
			if early.State == EntryWaiting && early.Venue == late.Venue && early.Slot == late.Slot && early.Place == late.Place && w.mayHave(early, now, loc) {
				faults = append(faults, fmt.Sprintf("%s was offered %s at %s before %s", late.Person, late.Venue, late.Start, early.Person))
			}
		}
	}
	return faults
}

// use is what the bookings come to, counted one by one.
func (w whole) use() []Use {
	var uses []Use
	for _, b := range w.bookings {
		u := Use{Venue: b.Venue, Month: b.Day.String()[:len("2006-01")], State: b.State}
		i := slices.IndexFunc(uses, func(o Use) bool { return o.Venue == u.Venue && o.Month == u.Month && o.State == u.State })
		if i < 0 {
			i, uses = len(uses), append(uses, u)
		}
		uses[i].Bookings++
		uses[i].Minutes += int(b.End.Sub(b.Start) / time.Minute)
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(strings.Compare(a.Venue, b.Venue), strings.Compare(a.Month, b.Month), strings.Compare(string(a.State), string(b.State)))
	})
	return uses
}

// checkInvariants finds what in a store does not agree with itself.
func checkInvariants(t testing.TB, s *Store) {
	t.Helper()
	for _, fault := range look(t.Context(), t, s, moment(t, monday)).faults() {
		t.Error(fault)
	}
}

// checkSettled finds, after Advance, what is overdue and who was forgotten.
func checkSettled(t testing.TB, s *Store, now time.Time) {
	t.Helper()
	w := look(t.Context(), t, s, now)
	for _, fault := range slices.Concat(w.faults(), w.overdue(now), w.forgotten(now, zone(t, "Asia/Shanghai"))) {
		t.Error(fault)
	}
}

// sameWhole reports whether nothing at all is different.
func sameWhole(a, b whole) bool {
	return slices.Equal(a.bookings, b.bookings) && slices.Equal(a.entries, b.entries) && slices.Equal(a.cells, b.cells) &&
		slices.Equal(a.quotas, b.quotas) && slices.EqualFunc(a.closures, b.closures, func(x, y closureRow) bool { return x.ID == y.ID && (x.EndedAt == nil) == (y.EndedAt == nil) })
}
