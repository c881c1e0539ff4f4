package linearizability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// A day has dayCells cells of cellMinutes, counted from midnight. What can be
// held is a cell of a place; places are counted from 0.
const (
	cellMinutes = 5
	dayCells    = 24 * 60 / cellMinutes
)

// tableKey names a table. A history is linearizable if it is for each table.
type tableKey struct {
	venue  string
	day    string // YYYY-MM-DD
	places int
}

// table is one venue on one day: who holds which cells of which place. It is
// kept in order and never changed; operations make new ones.
type table []holding

// holding is a span of cells of one place. Bookings are numbered by the
// operation that made them.
type holding struct {
	booking  int32
	place    int
	from, to int // cells; to is the first one that is not held
}

func compareHoldings(a, b holding) int { return int(a.booking - b.booking) }

// free says whether nobody holds any of the cells.
func (t table) free(place, from, to int) bool {
	return !slices.ContainsFunc(t, func(h holding) bool { return h.place == place && h.from < to && from < h.to })
}

// anyFree says whether the cells are free on one of the places.
func (t table) anyFree(places, from, to int) bool {
	for p := range places {
		if t.free(p, from, to) {
			return true
		}
	}
	return false
}

// hold is the table with one more holding.
func (t table) hold(h holding) table {
	i, _ := slices.BinarySearchFunc(t, h, compareHoldings)
	return slices.Insert(slices.Clone(t), i, h)
}

func (t table) holds(booking int32) bool {
	return slices.ContainsFunc(t, func(h holding) bool { return h.booking == booking })
}

// release is the table without what a booking holds, if anything.
func (t table) release(booking int32) table {
	if !t.holds(booking) {
		return t
	}
	return slices.DeleteFunc(slices.Clone(t), func(h holding) bool { return h.booking == booking })
}

func (t table) String() string {
	var b strings.Builder
	for _, h := range t {
		fmt.Fprintf(&b, "#%d place %d %s–%s; ", h.booking, h.place+1, clock(h.from), clock(h.to))
	}
	return b.String()
}

func clock(cell int) string {
	return fmt.Sprintf("%02d:%02d", cell*cellMinutes/60, cell*cellMinutes%60)
}

// input is what a client asks for: an operation on a booking of a table.
type input struct {
	table   tableKey
	booking int32 // the booking that is made, changed or read; 0 if it is about all
	operation
}

// operation is a kind of request with what is particular to it.
type operation interface {
	// step says whether the answer fits the table, and what the table is after
	// it: the sequential truth.
	step(t table, in input, out output) (bool, table)
	// settle is for an operation without an answer: what the record of its
	// booking, if there is one, says after the fight of what came of it. false
	// means that it had no effect.
	settle(r record, kept bool) (output, bool)
	// describe is for people who look at a history.
	describe(in input, out output) string
}

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
	outcome outcome
	place   int              // book: the place that was given
	left    [slotsPerDay]int // look: free places by slot
	table   table            // lastLook
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
	Init: func() any { return table(nil) },
	Step: func(state, in, out any) (bool, any) {
		i := in.(input)
		ok, next := i.step(state.(table), i, out.(output))
		return ok, next
	},
	Equal: func(a, b any) bool { return slices.Equal(a.(table), b.(table)) },
	DescribeOperation: func(in, out any) string {
		i := in.(input)
		return i.describe(i, out.(output))
	},
	DescribeState: func(state any) string { return state.(table).String() },
}

// record is a booking as the database keeps it after the fight.
type record struct {
	id         string
	venue, day string
	holding
	cancelled bool
}

// complete turns what the clients saw into the history to be checked.
//
// An operation without an answer took effect or it did not; the database after
// the fight says which, because every booking carries the number of its
// operation and stays on record. One that took effect is in the history; one
// that did not is left out. To leave it out is sound: if some client has seen
// its effect, the history without it has no order that explains what that
// client saw.
func complete(seen []porcupine.Operation, final map[int32]record) []porcupine.Operation {
	var history []porcupine.Operation
	tables := map[tableKey]table{}
	var end int64
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		end = max(end, op.Return)
		if _, known := tables[in.table]; !known {
			tables[in.table] = nil
		}
		if out.outcome == unknown {
			rec, kept := final[in.booking]
			settled, effect := in.settle(rec, kept)
			if !effect {
				continue
			}
			op.Output = settled
		}
		history = append(history, op)
	}
	for _, rec := range final {
		for key := range tables {
			if key.venue == rec.venue && key.day == rec.day && !rec.cancelled {
				tables[key] = tables[key].hold(rec.holding)
			}
		}
	}
	for key, t := range tables {
		history = append(history, porcupine.Operation{
			Input: input{table: key, operation: lastLook{}}, Output: output{table: t},
			Call: end + 1, Return: end + 2,
		})
	}
	return history
}
