package linearizability

import (
	"fmt"
	"slices"
)

// anyPlace leaves the choice of the place to the service.
const anyPlace = -1

// book makes a booking: it gets its cells if and only if all of them are free.
type book struct {
	place    int // or anyPlace
	from, to int
	// staff: the staff book, for a guest, and need nobody's approval.
	staff bool
	// present: they are there and are checked in at once.
	present bool
}

func (b book) step(t table, in input, out output) (bool, table) {
	if out.outcome == refused {
		return !t.plain(in.table, b.place, b.from, b.to), t
	}
	ok := t.available(in.table, out.place, b.from, b.to)
	t = t.clone()
	t.hold(holding{in.booking, out.place, b.from, b.to, stateAt(in.table, b.staff), b.present})
	return ok, t
}

// stateAt is what a new booking, or a changed one, is.
func stateAt(key tableKey, staff bool) string {
	if key.approval && !staff {
		return requested
	}
	return booked
}

func (b book) settle(in input, f final) (output, bool) {
	r, kept := f.bookings[in.booking]
	if b.place != anyPlace {
		r.place = b.place // a closure may have moved it since
	}
	return output{outcome: done, place: r.place}, kept
}

func (b book) describe(in input, out output) string {
	return fmt.Sprintf("book #%d %s–%s, %s → %s, %s", in.booking, clock(b.from), clock(b.to), placeName(b.place), out.outcome, placeName(out.place))
}

// cancel frees the cells of a booking; cancelling again changes nothing.
type cancel struct {
	// reason is what the staff write, so that it shows whose doing it was.
	reason string
}

func (cancel) step(t table, in input, _ output) (bool, table) {
	if t.of(in.booking).state == "" {
		return true, t
	}
	t = t.clone()
	t.release(in.booking)
	t.forget(in.booking)
	t.promote(in.table)
	return true, t
}

func (c cancel) settle(in input, f final) (output, bool) {
	r, kept := f.bookings[in.booking]
	return output{outcome: done}, kept && r.state == "cancelled" && r.reason == c.reason
}

func (cancel) describe(in input, out output) string {
	return fmt.Sprintf("cancel #%d → %s", in.booking, out.outcome)
}

// change moves a booking to another time or place, or leaves it as it was.
type change struct {
	place    int // or anyPlace
	from, to int
	staff    bool
}

func (c change) step(t table, in input, out output) (bool, table) {
	before := t.of(in.booking)
	movable := before.state == booked || before.state == requested
	if out.outcome == refused && !movable {
		return true, t
	}
	original := t
	t = t.clone()
	t.release(in.booking)
	if out.outcome == refused {
		_, ok := t.lowest(in.table, c.place, c.from, c.to)
		return !ok, original
	}
	ok := movable && t.available(in.table, out.place, c.from, c.to)
	t.hold(holding{in.booking, out.place, c.from, c.to, stateAt(in.table, c.staff), before.checked && c.from == before.from})
	t.promote(in.table)
	return ok, t
}

// settle knows the new place from the old one: fighters ask for what differs,
// do nothing with the booking after it, and nobody else moves it.
func (c change) settle(in input, f final) (output, bool) {
	r, kept := f.bookings[in.booking]
	return output{outcome: done, place: r.place}, kept && r.from == c.from && r.to == c.to && (c.place == anyPlace || r.place == c.place)
}

func (c change) describe(in input, out output) string {
	return fmt.Sprintf("change #%d to %s–%s, %s → %s, %s", in.booking, clock(c.from), clock(c.to), placeName(c.place), out.outcome, placeName(out.place))
}

// read asks for one booking.
type read struct{ question }

func (read) step(t table, in input, out output) (bool, table) {
	return t.of(in.booking).state == out.state, t
}

func (read) describe(in input, out output) string {
	return fmt.Sprintf("read #%d → %q", in.booking, out.state)
}

// look asks for a day's availability.
type look struct {
	question
	day int
}

func (l look) step(t table, in input, out output) (bool, table) {
	return left(t, in.table, l.day) == out.left, t
}

func (l look) describe(_ input, out output) string {
	return fmt.Sprintf("availability of day %d → %v", l.day, out.left)
}

// left counts the free places of each slot of a day.
func left(t table, key tableKey, day int) [slotsPerDay]int {
	var n [slotsPerDay]int
	for s := range n {
		for p := range key.places {
			if from, to := slotCells(day, s, 1); t.free(key, p, from, to) {
				n[s]++
			}
		}
	}
	return n
}

// board asks, for the staff, for all that is held on a day.
type board struct {
	question
	day int
}

func (b board) step(t table, _ input, out output) (bool, table) {
	var all []holding
	for _, h := range t.held {
		if h.from/dayCells == b.day {
			h.booking = 0
			all = append(all, h)
		}
	}
	slices.SortFunc(all, compareSpans)
	return slices.Equal(all, out.seen), t
}

func compareSpans(a, b holding) int {
	if a.from != b.from {
		return a.from - b.from
	}
	return a.place - b.place
}

func (b board) describe(_ input, out output) string {
	return fmt.Sprintf("board of day %d → %s", b.day, table{held: out.seen})
}

// lastLook is the whole table as the database holds it after the fight.
type lastLook struct{ question }

func (lastLook) step(t table, _ input, out output) (bool, table) {
	t.closures = slices.DeleteFunc(slices.Clone(t.closures), func(c closure) bool { return c.reopened })
	want := out.table
	want.closures = slices.DeleteFunc(slices.Clone(want.closures), func(c closure) bool { return c.reopened })
	return t.equal(want), t
}

func (lastLook) describe(_ input, out output) string { return "database → " + out.table.String() }
