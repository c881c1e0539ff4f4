package linearizability

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// What can be held: every venue is open for slotsPerDay slots, and the largest
// has maxPlaces places.
const (
	slotsPerDay = 12
	maxPlaces   = 3
)

// table is one venue on one day: which booking holds which place in which
// slot. Bookings are numbered by the operation that made them; 0 is nobody.
type table [slotsPerDay][maxPlaces]int32

func (t table) free(start, span, place int) bool {
	for s := start; s < start+span; s++ {
		if t[s][place] != 0 {
			return false
		}
	}
	return true
}

func (t table) hold(booking int32, start, span, place int) table {
	for s := start; s < start+span; s++ {
		t[s][place] = booking
	}
	return t
}

func (t table) holds(booking int32) bool {
	for s := range t {
		for p := range t[s] {
			if t[s][p] == booking {
				return true
			}
		}
	}
	return false
}

func (t table) release(booking int32) table {
	for s := range t {
		for p := range t[s] {
			if t[s][p] == booking {
				t[s][p] = 0
			}
		}
	}
	return t
}

// left counts the free places of each slot of a venue with that many places.
func (t table) left(places int) [slotsPerDay]int {
	var n [slotsPerDay]int
	for s := range t {
		for p := range places {
			if t[s][p] == 0 {
				n[s]++
			}
		}
	}
	return n
}

func (t table) String() string {
	var b strings.Builder
	for s := range t {
		fmt.Fprintf(&b, "%d:%v ", s, t[s])
	}
	return b.String()
}

// kind is what an operation does.
type kind int

const (
	book kind = iota
	cancel
	read     // one booking, by its owner
	look     // the day's availability
	lastLook // the whole table as it is kept in the database after the fight
)

// anyPlace leaves the choice of the place to the service.
const anyPlace = -1

// input is what an operation asks for.
type input struct {
	kind    kind
	table   tableKey
	booking int32 // the booking that is made, cancelled or read
	start   int   // first slot
	span    int   // slots
	place   int   // counted from 0, or anyPlace
}

// tableKey names a table. A history is linearizable if it is for each table.
type tableKey struct {
	venue  string
	day    string // YYYY-MM-DD
	places int
}

// outcome is what the service answered.
type outcome int

const (
	done    outcome = iota
	refused         // book: taken. read: cancelled
	unknown         // the connection broke before an answer came
)

// output is the answer to an operation.
type output struct {
	outcome outcome
	place   int              // book: the place that was given
	left    [slotsPerDay]int // look
	table   table            // lastLook
}

// model is the sequential truth: a booking gets its cells if and only if all
// of them are free; a cancellation frees them.
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
		ok, next := step(state.(table), in.(input), out.(output))
		return ok, next
	},
	DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	DescribeState:     func(state any) string { return state.(table).String() },
}

func step(t table, in input, out output) (bool, table) {
	switch in.kind {
	case book:
		if out.outcome == done {
			return t.free(in.start, in.span, out.place), t.hold(in.booking, in.start, in.span, out.place)
		}
		if in.place != anyPlace {
			return !t.free(in.start, in.span, in.place), t
		}
		for p := range in.table.places {
			if t.free(in.start, in.span, p) {
				return false, t
			}
		}
		return true, t
	case cancel:
		return true, t.release(in.booking) // cancelling again changes nothing
	case read:
		return t.holds(in.booking) == (out.outcome == done), t
	case look:
		return t.left(in.table.places) == out.left, t
	default:
		return t == out.table, t
	}
}

func describe(in input, out output) string {
	answer := map[outcome]string{done: "done", refused: "refused", unknown: "unknown"}[out.outcome]
	switch in.kind {
	case book:
		place := "any place"
		if in.place != anyPlace {
			place = fmt.Sprintf("place %d", in.place+1)
		}
		if out.outcome == done {
			answer = fmt.Sprintf("place %d", out.place+1)
		}
		return fmt.Sprintf("book #%d slots %d–%d, %s → %s", in.booking, in.start, in.start+in.span-1, place, answer)
	case cancel:
		return fmt.Sprintf("cancel #%d → %s", in.booking, answer)
	case read:
		return fmt.Sprintf("read #%d → %s", in.booking, answer)
	case look:
		return fmt.Sprintf("availability → %v", out.left)
	default:
		return fmt.Sprintf("database → %v", out.table)
	}
}

// complete turns what the clients saw into the history to be checked.
//
// An operation without an answer took effect or it did not; the database after
// the fight says which, because every booking carries the number of its
// operation and a cancelled booking stays on record. One that took effect is in
// the history; one that did not is left out. To leave it out is sound: if some
// client has seen its effect, the history without it has no order that
// explains what that client saw.
func complete(seen []porcupine.Operation, final map[int32]record) []porcupine.Operation {
	var history []porcupine.Operation
	tables := map[tableKey]table{}
	var end int64
	for _, op := range seen {
		in, out := op.Input.(input), op.Output.(output)
		end = max(end, op.Return)
		if _, known := tables[in.table]; !known {
			tables[in.table] = table{}
		}
		rec, made := final[in.booking]
		switch {
		case out.outcome != unknown:
		case in.kind == book && made:
			out.outcome, out.place = done, rec.place
		case in.kind == cancel && rec.cancelled:
		default: // no effect, or only a question
			continue
		}
		op.Output = out
		history = append(history, op)
		if in.kind == book && made && !rec.cancelled {
			tables[in.table] = tables[in.table].hold(in.booking, rec.start, rec.span, rec.place)
		}
	}
	for key, t := range tables {
		history = append(history, porcupine.Operation{
			Input: input{kind: lastLook, table: key}, Output: output{table: t},
			Call: end + 1, Return: end + 2,
		})
	}
	return history
}

// record is a booking as the database keeps it after the fight.
type record struct {
	id          string
	venue, day  string
	place       int // counted from 0
	start, span int // slots
	cancelled   bool
}
