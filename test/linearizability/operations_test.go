package linearizability

import "fmt"

// anyPlace leaves the choice of the place to the service.
const anyPlace = -1

// book makes a booking: it gets its cells if and only if all of them are free.
type book struct {
	place    int // or anyPlace
	from, to int
}

func (b book) step(t table, in input, out output) (bool, table) {
	switch {
	case out.outcome == done:
		return t.free(out.place, b.from, b.to), t.hold(holding{in.booking, out.place, b.from, b.to})
	case b.place == anyPlace:
		return !t.anyFree(in.table.places, b.from, b.to), t
	default:
		return !t.free(b.place, b.from, b.to), t
	}
}

func (book) settle(r record, kept bool) (output, bool) {
	return output{outcome: done, place: r.place}, kept
}

func (b book) describe(in input, out output) string {
	place, answer := "any place", out.outcome.String()
	if b.place != anyPlace {
		place = fmt.Sprintf("place %d", b.place+1)
	}
	if out.outcome == done {
		answer = fmt.Sprintf("place %d", out.place+1)
	}
	return fmt.Sprintf("book #%d %s–%s, %s → %s", in.booking, clock(b.from), clock(b.to), place, answer)
}

// cancel frees the cells of a booking; cancelling again changes nothing.
type cancel struct{}

func (cancel) step(t table, in input, _ output) (bool, table) { return true, t.release(in.booking) }

func (cancel) settle(r record, _ bool) (output, bool) { return output{outcome: done}, r.cancelled }

func (cancel) describe(in input, out output) string {
	return fmt.Sprintf("cancel #%d → %s", in.booking, out.outcome)
}

// read asks for one booking, by its owner; refused means that it is cancelled.
type read struct{}

func (read) step(t table, in input, out output) (bool, table) {
	return t.holds(in.booking) == (out.outcome == done), t
}

func (read) settle(record, bool) (output, bool) { return output{}, false }

func (read) describe(in input, out output) string {
	return fmt.Sprintf("read #%d → %s", in.booking, out.outcome)
}

// look asks for the day's availability.
type look struct{}

func (look) step(t table, in input, out output) (bool, table) {
	return left(t, in.table.places) == out.left, t
}

func (look) settle(record, bool) (output, bool) { return output{}, false }

func (look) describe(_ input, out output) string { return fmt.Sprintf("availability → %v", out.left) }

// left counts the free places of each slot of a venue with that many places.
func left(t table, places int) [slotsPerDay]int {
	var n [slotsPerDay]int
	for s := range n {
		for p := range places {
			if from, to := slotCells(s, 1); t.free(p, from, to) {
				n[s]++
			}
		}
	}
	return n
}

// lastLook is the whole table as the database holds it after the fight.
type lastLook struct{}

func (lastLook) step(t table, _ input, out output) (bool, table) {
	return model.Equal(t, out.table), t
}

func (lastLook) settle(record, bool) (output, bool) { return output{}, false }

func (lastLook) describe(_ input, out output) string { return "database → " + out.table.String() }
