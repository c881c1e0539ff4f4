package linearizability

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The checker itself: what it must accept and what it must find.
func TestChecker(t *testing.T) {
	key := tableKey{venue: "study", places: 2}
	op := func(call, ret int64, in input, out output) porcupine.Operation {
		in.table = key
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: ret}
	}
	want := func(n int32, start, span, place int) input {
		from, to := slotCells(2, start, span)
		return input{booking: n, operation: book{place: place, from: from, to: to}}
	}
	got := func(place int) output { return output{outcome: done, place: place} }
	no := output{outcome: refused}
	lost := output{outcome: unknown}
	drop := func(n int32) input { return input{booking: n, operation: cancel{}} }
	at := func(place, start, span int) record {
		from, to := slotCells(2, start, span)
		return record{venue: key.venue, holding: holding{place: place, from: from, to: to, state: booked}}
	}
	live := func(r record, state string) record { r.state = state; return r }
	spanOf := func(start, span int) (int, int) { return slotCells(2, start, span) }
	waitFor := func(n int32, start, place int) input {
		from, to := spanOf(start, 1)
		return input{booking: n, operation: join{place: place, from: from, to: to}}
	}
	joinedAt := func(second int64, id string) output { return output{outcome: done, joined: second, id: id} }
	move := func(n int32, start, span, place int) input {
		from, to := spanOf(start, span)
		return input{booking: n, operation: change{place: place, from: from, to: to}}
	}
	does := func(n int32, o operation) input { return input{booking: n, operation: o} }
	shut := func(n int32, start, span int) input {
		from, to := spanOf(start, span)
		return input{booking: n, operation: closeVenue{place: anyPlace, from: from, to: to}}
	}
	closedSpan := func(n int32, start, span int) map[int32]closureRecord {
		from, to := spanOf(start, span)
		return map[int32]closureRecord{n: {venue: key.venue, closure: closure{number: n, place: anyPlace, from: from, to: to}}}
	}
	waited := func(n int32, state string) map[int32]entryRecord {
		return map[int32]entryRecord{n: {venue: key.venue, state: state}}
	}
	cancelled := func(r record) record { r.state = "cancelled"; return r }

	for name, c := range map[string]struct {
		seen    []porcupine.Operation
		final   map[int32]record
		entries map[int32]entryRecord
		shut    map[int32]closureRecord
		legal   bool
	}{
		"one after the other": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 2, 0), got(0)), op(2, 3, want(2, 1, 1, 0), no), op(4, 5, want(3, 1, 1, anyPlace), got(1))},
			final: map[int32]record{1: at(0, 0, 2), 3: at(1, 1, 1)},
			legal: true,
		},
		"freed and taken again": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 5, drop(1), got(0)), op(3, 4, want(2, 0, 1, 0), got(0))},
			final: map[int32]record{1: cancelled(at(0, 0, 1)), 2: at(0, 0, 1)},
			legal: true,
		},
		"held twice": {
			seen:  []porcupine.Operation{op(0, 5, want(1, 0, 2, 0), got(0)), op(0, 5, want(2, 1, 1, 0), got(0))},
			final: map[int32]record{1: at(0, 0, 2), 2: at(0, 1, 1)},
		},
		"refused although free": {
			seen: []porcupine.Operation{op(0, 1, want(1, 0, 1, anyPlace), no)},
		},
		"acknowledged and lost": {
			seen: []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0))},
		},
		"cancelled twice": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, drop(1), got(0)), op(4, 5, drop(1), got(0))},
			final: map[int32]record{1: cancelled(at(0, 0, 1))},
			legal: true,
		},
		"cancelled and back": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, drop(1), got(0))},
			final: map[int32]record{1: at(0, 0, 1)},
		},
		"no answer, no effect": {
			seen:  []porcupine.Operation{op(0, 9, want(1, 0, 1, 0), lost), op(2, 3, want(2, 0, 1, 0), got(0))},
			final: map[int32]record{2: at(0, 0, 1)},
			legal: true,
		},
		"no answer, but an effect": {
			seen:  []porcupine.Operation{op(0, 9, want(1, 0, 1, anyPlace), lost), op(2, 3, want(2, 0, 1, 0), no)},
			final: map[int32]record{1: at(0, 0, 1)},
			legal: true,
		},
		"seen, then lost": {
			seen: []porcupine.Operation{op(0, 9, want(1, 0, 1, 0), lost), op(2, 3, want(2, 0, 1, 0), no)},
		},
		"a cancellation without an answer": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 9, drop(1), lost),
				op(3, 4, want(2, 0, 1, 0), no), op(5, 6, want(3, 0, 1, 0), got(0)),
			},
			final: map[int32]record{1: cancelled(at(0, 0, 1)), 3: at(0, 0, 1)},
			legal: true,
		},
		"what is freed is the first one's who waits": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 9, waitFor(2, 0, 0), joinedAt(7, "b")), op(2, 9, waitFor(3, 0, 0), joinedAt(7, "a")),
				op(10, 11, drop(1), got(0)), op(12, 13, want(4, 0, 1, 0), no), op(14, 15, does(3, accept{}), got(0)), op(16, 17, does(2, leave{}), got(0)),
			},
			final:   map[int32]record{1: cancelled(at(0, 0, 1)), 3: at(0, 0, 1)},
			entries: waited(3, "accepted"),
			legal:   true,
		},
		"offered out of order": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, waitFor(2, 0, 0), joinedAt(7, "a")), op(2, 3, waitFor(3, 0, 0), joinedAt(8, "a")),
				op(10, 11, drop(1), got(0)), op(12, 13, does(3, accept{}), got(0)), op(14, 15, does(2, leave{}), got(0)),
			},
			final:   map[int32]record{1: cancelled(at(0, 0, 1)), 3: at(0, 0, 1)},
			entries: waited(3, "accepted"),
		},
		"freed and given past those who wait": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, waitFor(2, 0, 0), joinedAt(7, "a")),
				op(4, 5, drop(1), got(0)), op(6, 7, want(3, 0, 1, 0), got(0)), op(8, 9, does(2, leave{}), got(0)),
			},
			final: map[int32]record{1: cancelled(at(0, 0, 1)), 3: at(0, 0, 1)},
		},
		"moved, and free where it was": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 2, 0), got(0)), op(2, 3, move(1, 1, 2, 0), got(0)), op(4, 5, want(2, 0, 1, 0), got(0))},
			final: map[int32]record{1: at(0, 1, 2), 2: at(0, 0, 1)},
			legal: true,
		},
		"moved onto somebody": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(0, 1, want(2, 1, 1, 0), got(0)), op(2, 3, move(1, 1, 1, 0), got(0))},
			final: map[int32]record{1: at(0, 1, 1), 2: at(0, 1, 1)},
		},
		"moved, and kept where it was": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, move(1, 2, 1, 0), got(0)), op(4, 5, want(2, 0, 1, 0), no)},
			final: map[int32]record{1: at(0, 2, 1)},
		},
		"booked while it is closed": {
			seen:  []porcupine.Operation{op(0, 1, shut(1, 0, 2), output{affected: []affected{}}), op(2, 3, want(2, 1, 1, 0), got(0))},
			final: map[int32]record{2: at(0, 1, 1)},
			shut:  closedSpan(1, 0, 2),
		},
		"closed, and somebody kept a place": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, shut(2, 0, 2), output{affected: []affected{}})},
			final: map[int32]record{1: at(0, 0, 1)},
			shut:  closedSpan(2, 0, 2),
		},
		"closed, and who held a place was told": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, shut(2, 0, 2), output{affected: []affected{{before: live(at(0, 0, 1), booked).holding}}}),
			},
			final: map[int32]record{1: cancelled(at(0, 0, 1))},
			shut:  closedSpan(2, 0, 2),
			legal: true,
		},
		"approved and not": {
			seen:  []porcupine.Operation{op(0, 1, want(1, 0, 1, 0), got(0)), op(2, 3, does(1, approve{}), got(0))},
			final: map[int32]record{1: live(at(0, 0, 1), requested)},
		},
		"stale availability": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)),
				op(2, 3, input{operation: look{day: 2}}, output{left: left(table{}, key, 2)}),
			},
			final: map[int32]record{1: at(0, 0, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n, r := range c.final {
				r.booking = n
				c.final[n] = r
			}
			if legal := porcupine.CheckOperations(model, complete(c.seen, final{bookings: c.final, entries: c.entries, closures: c.shut})); legal != c.legal {
				t.Errorf("linearizable: %v, want %v", legal, c.legal)
			}
		})
	}
}

// The checker of stocks: what it must accept and what it must find, with a
// guess and without one.
func TestCheckerOfStock(t *testing.T) {
	op := func(call, ret int64, m move[shelf]) porcupine.Operation {
		return porcupine.Operation{Input: m, Call: call, Return: ret}
	}
	for name, c := range map[string]struct {
		seen  []porcupine.Operation
		legal bool
	}{
		"one after the other": {
			seen:  []porcupine.Operation{op(0, 1, take{}), op(2, 3, soldOut{}), op(4, 5, leftover{0})},
			legal: true,
		},
		"sold twice":             {seen: []porcupine.Operation{op(0, 5, take{}), op(0, 5, take{})}},
		"sold out although left": {seen: []porcupine.Operation{op(0, 1, soldOut{}), op(2, 3, take{})}},
		"sold and lost":          {seen: []porcupine.Operation{op(0, 1, take{}), op(2, 3, leftover{1})}},
		"given back and taken": {
			seen:  []porcupine.Operation{op(0, 1, take{}), op(2, 9, giveBack{}), op(3, 4, soldOut{}), op(5, 6, take{}), op(7, 8, soldOut{})},
			legal: true,
		},
		"given back, but nobody gets it": {
			seen: []porcupine.Operation{op(0, 1, take{}), op(2, 3, giveBack{}), op(4, 5, soldOut{})},
		},
		"sold out while the purse is asked": {
			seen:  []porcupine.Operation{op(0, 9, lend{1}), op(0, 9, unlend{1}), op(1, 2, soldOut{}), op(3, 4, take{})},
			legal: true,
		},
		"lent late": {
			seen: []porcupine.Operation{
				op(0, 100, lend{1}), op(0, 100, unlend{1}), op(10, 20, take{}), op(21, 25, giveBack{}), op(30, 40, soldOut{}),
			},
			legal: true,
		},
		"sold out after the purse has refused": {
			seen: []porcupine.Operation{op(0, 1, lend{1}), op(0, 1, unlend{1}), op(2, 3, soldOut{})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			model := modelOf(shelf{left: 1})
			if legal := porcupine.CheckOperations(model, c.seen); legal != c.legal {
				t.Errorf("linearizable: %v, want %v", legal, c.legal)
			}
			history, guessed := narrowed(c.seen, 1)
			if guessed != c.legal || guessed && !porcupine.CheckOperations(model, history) {
				t.Errorf("guessed: %v %v, want %v", guessed, history, c.legal)
			}
		})
	}
}
