package linearizability

import (
	"fmt"
	"slices"
)

// approve grants a request; again changes nothing.
type approve struct{}

func (approve) step(t table, in input, out output) (bool, table) {
	h := t.of(in.booking)
	waits := h.state == requested
	if out.outcome == refused {
		return !waits && h.state != booked, t
	}
	if !waits {
		return h.state == booked, t
	}
	t = t.clone()
	h.state = booked
	t.release(in.booking)
	t.hold(h)
	return true, t
}

// settle is for nobody: an approval is repeated until it is answered.
func (approve) settle(input, final) (output, bool) { return output{}, false }

func (approve) describe(in input, out output) string {
	return fmt.Sprintf("approve #%d → %s", in.booking, out.outcome)
}

// refuse turns a request down, which frees its cells; again changes nothing.
type refuse struct{}

func (refuse) step(t table, in input, out output) (bool, table) {
	state := t.of(in.booking).state
	switch {
	case out.outcome == refused:
		return state != requested, t
	case state == "":
		return true, t
	}
	t = t.clone()
	t.release(in.booking)
	t.promote(in.table)
	return state == requested, t
}

// settle is for nobody: a refusal is repeated until it is answered.
func (refuse) settle(input, final) (output, bool) { return output{}, false }

func (refuse) describe(in input, out output) string {
	return fmt.Sprintf("refuse #%d → %s", in.booking, out.outcome)
}

// checkIn notes that somebody came; again changes nothing.
type checkIn struct{}

func (checkIn) step(t table, in input, out output) (bool, table) {
	h := t.of(in.booking)
	if out.outcome == refused {
		return h.state != booked, t
	}
	t = t.clone()
	t.release(in.booking)
	ok := h.state == booked
	h.checked = true
	t.hold(h)
	return ok, t
}

func (checkIn) settle(in input, f final) (output, bool) {
	r, kept := f.bookings[in.booking]
	return output{outcome: done}, kept && r.checked
}

func (checkIn) describe(in input, out output) string {
	return fmt.Sprintf("check in #%d → %s", in.booking, out.outcome)
}

// affected is a booking that gives way to a closure, before and after; after
// holds nothing if it was cancelled.
type affected struct{ before, after holding }

// closeVenue closes a place, or all, for a span. Who holds something there
// loses it, or is moved; who was offered it waits again.
type closeVenue struct {
	place    int // or anyPlace, which is all
	from, to int
}

func (c closeVenue) step(t table, in input, out output) (bool, table) {
	t = t.clone()
	closing := closure{number: in.booking, place: c.place, from: c.from, to: c.to}
	t.closures = append(t.closures, closing)
	slices.SortFunc(t.closures, func(a, b closure) int { return int(a.number - b.number) })

	var hit []holding
	for _, h := range t.held {
		if closing.covers(h.place, h.from, h.to) {
			hit = append(hit, h)
		}
	}
	slices.SortFunc(hit, compareSpans)
	for _, h := range hit {
		t.release(h.booking)
	}
	all := make([]affected, 0, len(hit))
	for _, h := range hit {
		a := affected{before: h}
		switch {
		case h.state == held:
			for i := range t.waiting {
				if t.waiting[i].booking == h.booking {
					t.waiting[i].offered = false
				}
			}
		case in.table.moving && !h.checked:
			if after, ok := t.elsewhere(in.table, h); ok {
				t.hold(after)
				a.after = after
			}
		}
		a.before.booking, a.after.booking = 0, 0
		a.before.checked, a.after.checked = false, false
		all = append(all, a)
	}
	t.promote(in.table)
	return out.affected == nil || slices.Equal(all, out.affected), t
}

// moveDays is how many days ahead the service looks for another time.
const moveDays = 14

// elsewhere is where a booking is moved: to another place at its time, else to
// the next time that is free.
func (t table) elsewhere(key tableKey, h holding) (holding, bool) {
	length := h.to - h.from
	for day := h.from / dayCells; day <= h.from/dayCells+moveDays; day++ {
		for s := range slotsPerDay {
			from, _ := slotCells(day, s, 1)
			if _, closes := slotCells(day, slotsPerDay-1, 1); from < h.from || from+length > closes {
				continue
			}
			if p, ok := t.lowest(key, anyPlace, from, from+length); ok {
				h.place, h.from, h.to = p, from, from+length
				return h, true
			}
		}
	}
	return holding{}, false
}

func (closeVenue) settle(in input, f final) (output, bool) {
	_, kept := f.closures[in.booking]
	return output{outcome: done}, kept
}

func (c closeVenue) describe(in input, out output) string {
	return fmt.Sprintf("close #%d %s %s–%s → %d affected", in.booking, placeName(c.place), clock(c.from), clock(c.to), len(out.affected))
}

// reopen ends a closure; again changes nothing.
type reopen struct{}

func (reopen) step(t table, in input, _ output) (bool, table) {
	t = t.clone()
	for i := range t.closures {
		if t.closures[i].number == in.booking {
			t.closures[i].reopened = true
		}
	}
	t.promote(in.table)
	return true, t
}

// settle is for nobody: a reopening is repeated until it is answered.
func (reopen) settle(input, final) (output, bool) { return output{}, false }

func (reopen) describe(in input, _ output) string { return fmt.Sprintf("reopen #%d", in.booking) }
