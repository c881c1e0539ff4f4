package linearizability

import (
	"fmt"
	"slices"
)

// The rules of the service that the operations here are refused by.
const (
	ruleStillFree = "still-free"
	ruleClosure   = "closure"
)

// join is to wait for a span that is taken.
type join struct {
	place    int // or anyPlace
	from, to int
}

func (j join) step(t table, in input, out output) (bool, table) {
	_, available := t.lowest(in.table, j.place, j.from, j.to)
	shut := true
	for p := range in.table.places {
		if j.place == anyPlace || j.place == p {
			shut = shut && t.closed(p, j.from, j.to)
		}
	}
	switch {
	case out.outcome == refused && out.rule == ruleClosure:
		return shut, t
	case out.outcome == refused:
		return available, t
	}
	t = t.clone()
	e := entry{booking: in.booking, place: j.place, from: j.from, to: j.to, joined: out.joined, id: out.id}
	i, _ := slices.BinarySearchFunc(t.waiting, e, compareEntries)
	t.waiting = slices.Insert(t.waiting, i, e)
	return !available && !shut, t
}

// settle is for nobody: who joins again is answered with the entry there is,
// so that a broken request is repeated.
func (join) settle(input, final) (output, bool) { return output{}, false }

func (j join) describe(in input, out output) string {
	return fmt.Sprintf("join #%d for %s %s–%s → %s %s", in.booking, placeName(j.place), clock(j.from), clock(j.to), out.outcome, out.rule)
}

// peek asks what has become of an entry: "waiting", "offered", or nothing.
type peek struct{ question }

func (peek) step(t table, in input, out output) (bool, table) {
	state := ""
	for _, e := range t.waiting {
		if e.booking == in.booking {
			if state = "waiting"; e.offered {
				state = "offered"
			}
		}
	}
	return state == out.state, t
}

func (peek) describe(in input, out output) string {
	return fmt.Sprintf("peek at #%d → %q", in.booking, out.state)
}

// accept takes an offer; again changes nothing.
type accept struct{}

func (accept) step(t table, in input, out output) (bool, table) {
	h := t.of(in.booking)
	if out.outcome == refused {
		return h.state == "", t
	}
	if h.state != held {
		return h.state != "", t
	}
	t = t.clone()
	t.release(in.booking)
	h.state = stateAt(in.table, false)
	t.hold(h)
	t.forget(in.booking)
	return true, t
}

func (accept) settle(in input, f final) (output, bool) {
	return output{outcome: done}, f.entries[in.booking].state == "accepted"
}

func (accept) describe(in input, out output) string {
	return fmt.Sprintf("accept #%d → %s", in.booking, out.outcome)
}

// leave is to wait no more, or to decline what is offered; again changes nothing.
type leave struct{}

func (leave) step(t table, in input, _ output) (bool, table) {
	t = t.clone()
	t.release(in.booking)
	t.forget(in.booking)
	t.promote(in.table)
	return true, t
}

// settle is for nobody: leaving is repeated until it is answered.
func (leave) settle(input, final) (output, bool) { return output{}, false }

func (leave) describe(in input, out output) string {
	return fmt.Sprintf("leave #%d → %s", in.booking, out.outcome)
}

// series books the same span in several weeks: those that can be had, or all
// or nothing. The weeks are numbered from the operation on by weekNumbers.
type series struct {
	place    int // or anyPlace
	from, to int // of the first week
	all      bool
}

const (
	seriesWeeks = 2
	weekNumbers = 1 << 20 // more than a fight has operations
	weekCells   = 7 * dayCells
)

// week is what came of a week of a series.
type week struct {
	// told is false for what a repeated answer does not say.
	told, free bool
	place      int // if it was booked
}

func (s series) step(t table, in input, out output) (bool, table) {
	// All or nothing is broken by a week that could not be had; else nothing is
	// booked only if no week could.
	ok := true
	for _, w := range out.weeks {
		if w.told && out.outcome == done && s.all {
			ok = ok && w.free
		}
		if w.told && out.outcome == refused && !s.all {
			ok = ok && !w.free
		}
	}
	t = t.clone()
	for i, w := range out.weeks {
		from, to := s.from+i*weekCells, s.to+i*weekCells
		switch {
		case !w.told:
		case out.outcome == refused || !w.free:
			_, available := t.lowest(in.table, s.place, from, to)
			ok = ok && available == w.free
		default:
			ok = ok && t.available(in.table, w.place, from, to)
			t.hold(holding{in.booking + int32(i)*weekNumbers, w.place, from, to, stateAt(in.table, false), false})
		}
	}
	return ok, t
}

// settle is for nobody: a series has a key, and is repeated until it is answered.
func (series) settle(input, final) (output, bool) { return output{}, false }

func (s series) describe(in input, out output) string {
	return fmt.Sprintf("series #%d %s–%s, %s → %s %v", in.booking, clock(s.from), clock(s.to), placeName(s.place), out.outcome, out.weeks)
}
