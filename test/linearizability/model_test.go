package linearizability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// A day has dayCells cells of cellMinutes, counted from the midnight at which
// the day of the fight began. What can be held is a cell of a place; places
// are counted from 0.
const (
	cellMinutes = 5
	dayCells    = 24 * 60 / cellMinutes
)

// tableKey names a table and says by which rules it is played. A history is
// linearizable if it is for each table.
type tableKey struct {
	venue  string
	places int
	buffer int // cells that stay free after each holding
	// approval: residents only ask, and the staff decide.
	approval bool
	// closing: the staff close and reopen. moving: those affected are moved.
	closing, moving bool
	// running: only the slot that runs already is fought for, by those who are there.
	running bool
}

// table is one venue: who holds which cells of which place, who waits for
// some, and what is closed. Operations work on a clone.
type table struct {
	held     []holding // by booking
	waiting  []entry   // in the order of joining
	closures []closure // by number
}

// What a holding is, as the API names it.
const (
	booked    = "booked"
	requested = "requested"
	held      = "held"
)

// holding is a span of cells of one place. Bookings are numbered by the
// operation that made them; a hold by the one that joined the waiting list.
type holding struct {
	booking  int32
	place    int
	from, to int // cells; to is the first one that is not held
	state    string
	checked  bool // somebody checked in
}

// entry is somebody who waits for a span, or to whom it is offered.
type entry struct {
	booking  int32
	place    int // or anyPlace
	from, to int
	joined   int64 // Unix seconds
	id       string
	offered  bool
}

// closure keeps everybody from a place, or all, for a span.
type closure struct {
	number   int32
	place    int // or anyPlace, which is all
	from, to int
	// reopened: see table.plain.
	reopened bool
}

func (c closure) covers(place, from, to int) bool {
	return (c.place == anyPlace || c.place == place) && c.from < to && from < c.to
}

func compareEntries(a, b entry) int {
	if a.joined != b.joined {
		return int(a.joined - b.joined)
	}
	return strings.Compare(a.id, b.id)
}

func (t table) clone() table {
	return table{held: slices.Clone(t.held), waiting: slices.Clone(t.waiting), closures: slices.Clone(t.closures)}
}

// free says whether nobody holds any of the cells, or needs them as a buffer.
func (t table) free(key tableKey, place, from, to int) bool {
	return !slices.ContainsFunc(t.held, func(h holding) bool {
		return h.place == place && h.from < to+key.buffer && from < h.to+key.buffer
	})
}

func (t table) closed(place, from, to int) bool {
	return slices.ContainsFunc(t.closures, func(c closure) bool { return !c.reopened && c.covers(place, from, to) })
}

func (t table) available(key tableKey, place, from, to int) bool {
	return t.free(key, place, from, to) && !t.closed(place, from, to)
}

// lowest is the place that a request is given: the wanted one or the first
// that is available, if there is one.
func (t table) lowest(key tableKey, wanted, from, to int) (int, bool) {
	for p := range key.places {
		if (wanted == anyPlace || wanted == p) && t.available(key, p, from, to) {
			return p, true
		}
	}
	return 0, false
}

// plain says whether a place is available to somebody who may not have heard
// yet that it was reopened: the service reads a venue's closures before it
// looks for a place, so that one which is reopened at that moment may be passed
// over. Nobody loses by it.
func (t table) plain(key tableKey, wanted, from, to int) bool {
	for p := range key.places {
		if (wanted == anyPlace || wanted == p) && t.free(key, p, from, to) &&
			!slices.ContainsFunc(t.closures, func(c closure) bool { return c.covers(p, from, to) }) {
			return true
		}
	}
	return false
}

// The following change a clone.

func (t *table) hold(h holding) {
	i, _ := slices.BinarySearchFunc(t.held, h, func(a, b holding) int { return int(a.booking - b.booking) })
	t.held = slices.Insert(t.held, i, h)
}

// release frees what a booking holds, if anything.
func (t *table) release(booking int32) {
	t.held = slices.DeleteFunc(t.held, func(h holding) bool { return h.booking == booking })
}

// of is what a booking holds; the zero holding if nothing.
func (t table) of(booking int32) holding {
	i := slices.IndexFunc(t.held, func(h holding) bool { return h.booking == booking })
	if i < 0 {
		return holding{}
	}
	return t.held[i]
}

// forget takes an entry off the waiting list.
func (t *table) forget(booking int32) {
	t.waiting = slices.DeleteFunc(t.waiting, func(e entry) bool { return e.booking == booking })
}

// promote offers what is available to those who wait, in the order of joining.
func (t *table) promote(key tableKey) {
	for i, e := range t.waiting {
		if e.offered {
			continue
		}
		if p, ok := t.lowest(key, e.place, e.from, e.to); ok {
			t.hold(holding{booking: e.booking, place: p, from: e.from, to: e.to, state: held})
			t.waiting[i].offered = true
		}
	}
}

func (t table) equal(o table) bool {
	return slices.Equal(t.held, o.held) && slices.Equal(t.waiting, o.waiting) && slices.Equal(t.closures, o.closures)
}

func (t table) String() string {
	var b strings.Builder
	for _, h := range t.held {
		fmt.Fprintf(&b, "#%d %s place %d %s–%s; ", h.booking, h.state, h.place+1, clock(h.from), clock(h.to))
	}
	for _, e := range t.waiting {
		if !e.offered {
			fmt.Fprintf(&b, "#%d waits for %s %s–%s; ", e.booking, placeName(e.place), clock(e.from), clock(e.to))
		}
	}
	for _, c := range t.closures {
		if !c.reopened {
			fmt.Fprintf(&b, "%s closed %s–%s; ", placeName(c.place), clock(c.from), clock(c.to))
		}
	}
	return b.String()
}

func clock(cell int) string {
	return fmt.Sprintf("day %d %02d:%02d", cell/dayCells, cell%dayCells*cellMinutes/60, cell*cellMinutes%60)
}

func placeName(place int) string {
	if place == anyPlace {
		return "any place"
	}
	return fmt.Sprintf("place %d", place+1)
}

// input is what a client asks for: an operation on a booking of a table.
type input struct {
	table   tableKey
	booking int32 // the booking, entry or closure that is made, changed or read; 0 if it is about all
	operation
}

// operation is a kind of request with what is particular to it.
type operation interface {
	// step says whether the answer fits the table, and what the table is after
	// it: the sequential truth.
	step(t table, in input, out output) (bool, table)
	// settle is for an operation without an answer: what the database says
	// after the fight of what came of it. false means that it had no effect.
	settle(in input, f final) (output, bool)
	// describe is for people who look at a history.
	describe(in input, out output) string
}

// question is what operations have in common that change nothing: without an
// answer they say nothing.
type question struct{}

func (question) settle(input, final) (output, bool) { return output{}, false }

// outcome is what the service answered.
type outcome int

const (
	done    outcome = iota
	refused         // not so because of what others hold
	unknown         // the connection broke before an answer came
)

func (o outcome) String() string {
	return map[outcome]string{done: "done", refused: "refused", unknown: "unknown"}[o]
}

// output is the answer to an operation.
type output struct {
	outcome  outcome
	rule     string           // why it was refused, where a rule did it
	place    int              // the place that was given
	state    string           // read, peek: what it is
	left     [slotsPerDay]int // look: free places by slot
	seen     []holding        // board: what is held on a day, without numbers
	joined   int64            // join
	id       string           // join: the entry's id
	weeks    []week           // series
	affected []affected       // close; nil if nobody was told
	table    table            // lastLook
}

// model is the sequential truth, table by table.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		at := map[tableKey]int{}
		var parts [][]porcupine.Operation
		for _, op := range history {
			key := op.Input.(input).table
			i, ok := at[key]
			if !ok {
				i = len(parts)
				at[key] = i
				parts = append(parts, nil)
			}
			parts[i] = append(parts[i], op)
		}
		return parts
	},
	Init: func() any { return table{} },
	Step: func(state, in, out any) (bool, any) {
		i := in.(input)
		ok, next := i.step(state.(table), i, out.(output))
		return ok, next
	},
	Equal: func(a, b any) bool { return a.(table).equal(b.(table)) },
	DescribeOperation: func(in, out any) string {
		i := in.(input)
		return i.describe(i, out.(output))
	},
	DescribeState: func(state any) string { return state.(table).String() },
}

// final is what the database holds after the fight, by the operation that made it.
type final struct {
	bookings map[int32]record
	entries  map[int32]entryRecord
	closures map[int32]closureRecord
}

// record is a booking as the database keeps it.
type record struct {
	id, venue, reason string
	holding           // its state may be one that holds nothing
}

func (r record) live() bool {
	return r.state == booked || r.state == requested || r.state == held
}

// entryRecord is an entry of the waiting list as the database keeps it.
type entryRecord struct {
	venue, state string
	entry
}

// closureRecord is a closure as the database keeps it.
type closureRecord struct {
	venue string
	closure
}

// table is what a venue's table must be after the fight.
func (f final) table(venue string) table {
	var t table
	for _, r := range f.bookings {
		if r.venue == venue && r.live() {
			t.hold(r.holding)
		}
	}
	for _, e := range f.entries {
		if e.venue == venue && (e.state == "waiting" || e.state == "offered") {
			t.waiting = append(t.waiting, e.entry)
		}
	}
	slices.SortFunc(t.waiting, compareEntries)
	for _, c := range f.closures {
		if c.venue == venue {
			t.closures = append(t.closures, c.closure)
		}
	}
	slices.SortFunc(t.closures, func(a, b closure) int { return int(a.number - b.number) })
	return t
}

// complete turns what the clients saw into the history to be checked.
//
// An operation without an answer took effect or it did not; the database after
// the fight says which, because everything on record carries the number of its
// operation. One that took effect is in the history; one that did not is left
// out. To leave it out is sound: if some client has seen its effect, the
// history without it has no order that explains what that client saw.
func complete(seen []porcupine.Operation, f final) []porcupine.Operation {
	var history []porcupine.Operation
	tables := map[tableKey]bool{}
	var end int64
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		end = max(end, op.Return)
		tables[in.table] = true
		if out.outcome == unknown {
			settled, effect := in.settle(in, f)
			if !effect {
				continue
			}
			op.Output = settled
		}
		history = append(history, op)
	}
	for key := range tables {
		history = append(history, porcupine.Operation{
			Input: input{table: key, operation: lastLook{}}, Output: output{table: f.table(key.venue)},
			Call: end + 1, Return: end + 2,
		})
	}
	return history
}
