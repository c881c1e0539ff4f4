package linearizability

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The checker itself: what it must accept and what it must find.
func TestChecker(t *testing.T) {
	key := tableKey{venue: "study", day: "2026-11-25", places: 2}
	op := func(call, ret int64, in input, out output) porcupine.Operation {
		in.table = key
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: ret}
	}
	want := func(n int32, start, span, place int) input {
		from, to := slotCells(start, span)
		return input{booking: n, operation: book{place: place, from: from, to: to}}
	}
	got := func(place int) output { return output{outcome: done, place: place} }
	no := output{outcome: refused}
	lost := output{outcome: unknown}
	drop := func(n int32) input { return input{booking: n, operation: cancel{}} }
	at := func(place, start, span int) record {
		from, to := slotCells(start, span)
		return record{venue: key.venue, day: key.day, holding: holding{place: place, from: from, to: to}}
	}
	cancelled := func(r record) record { r.cancelled = true; return r }

	for name, c := range map[string]struct {
		seen  []porcupine.Operation
		final map[int32]record
		legal bool
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
		"stale availability": {
			seen: []porcupine.Operation{
				op(0, 1, want(1, 0, 1, 0), got(0)),
				op(2, 3, input{operation: look{}}, output{left: left(nil, 2)}),
			},
			final: map[int32]record{1: at(0, 0, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n, r := range c.final {
				r.booking = n
				c.final[n] = r
			}
			if legal := porcupine.CheckOperations(model, complete(c.seen, c.final)); legal != c.legal {
				t.Errorf("linearizable: %v, want %v", legal, c.legal)
			}
		})
	}
}
