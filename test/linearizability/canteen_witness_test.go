package linearizability

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/anishathalye/porcupine"
)

// With 200 eaters at once, hundreds of operations on one number overlap, in
// more orders than porcupine can try. So an order is guessed first, and what is
// checked is the history with every operation narrowed to the moment that the
// guess has for it, which lies between its call and its return: if that one is
// linearizable, so is the history itself. A guess that fails says nothing; then
// the history is checked as it is.

// guess is an order in the making.
type guess struct {
	left    int
	lent    map[int]bool // the portions that are lent now
	late    map[int]bool // those that are lent as late as can be
	waiting []porcupine.Operation
	ordered []porcupine.Operation
}

// narrowed is a history of the stock with an order that a guess found for it;
// false if none of many did. They guess that a portion is taken as soon as
// somebody wants one, and given back as late as can be; and that portions are
// lent at once, or some of them late.
func narrowed(history []porcupine.Operation, portions int) ([]porcupine.Operation, bool) {
	rng := rand.New(rand.NewPCG(0, 0)) // the same history is guessed the same
	late := map[int]bool{}
	for range 500 {
		if ordered, ok := guessed(history, portions, late); ok {
			return ordered, true
		}
		for _, op := range history {
			if l, ok := op.Input.(lend); ok {
				late[l.number] = rng.IntN(2) == 0
			}
		}
	}
	return nil, false
}

// guessed is one guess.
func guessed(history []porcupine.Operation, portions int, late map[int]bool) ([]porcupine.Operation, bool) {
	type event struct {
		at  int64
		end bool
		op  porcupine.Operation
	}
	var events []event
	for _, op := range history {
		events = append(events, event{op.Call, false, op}, event{op.Return, true, op})
	}
	// What is called at the moment at which something returns overlaps it.
	slices.SortStableFunc(events, func(a, b event) int {
		if a.at == b.at && a.end != b.end {
			return map[bool]int{false: -1, true: 1}[a.end]
		}
		return cmp.Compare(a.at, b.at)
	})
	g := &guess{left: portions, lent: map[int]bool{}, late: late}
	for _, e := range events {
		if !e.end {
			// Those that must end first are first.
			at, _ := slices.BinarySearchFunc(g.waiting, e.op, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
			g.waiting = slices.Insert(g.waiting, at, e.op)
		} else if !g.end(e.op.Input, e.at) {
			return nil, false
		}
		g.goOn(e.at)
	}
	return g.ordered, true
}

// goOn has everything happen that can without giving anything back.
func (g *guess) goOn(at int64) {
	for g.one(at, func(m any) bool {
		switch m := m.(type) {
		case soldOut, leftover, take:
			return g.can(m)
		case lend:
			return g.can(m) && !g.late[m.number]
		}
		return false
	}) {
	}
}

// end has an operation happen that returns, if it has not, with what must be
// lent or given back for it; false if that does not help.
func (g *guess) end(input any, at int64) bool {
	is := func(m any) bool { return m == input }
	for slices.ContainsFunc(g.waiting, func(op porcupine.Operation) bool { return is(op.Input) && op.Return == at }) {
		if g.one(at, func(m any) bool { return is(m) && g.can(m) }) {
			continue
		}
		if !g.one(at, func(m any) bool {
			switch m.(type) {
			case giveBack, unlend:
				return input != any(soldOut{}) && g.can(m)
			case lend:
				return input == any(soldOut{}) && g.can(m)
			}
			return false
		}) {
			return false
		}
	}
	return true
}

// can reports whether an operation can happen now.
func (g *guess) can(m any) bool {
	switch m := m.(type) {
	case unlend:
		return g.lent[m.number]
	case move[shelf]:
		_, ok := m.apply(shelf{left: g.left})
		return ok
	}
	return false
}

// one has the first of those operations happen that may; false if none does.
func (g *guess) one(at int64, may func(m any) bool) bool {
	i := slices.IndexFunc(g.waiting, func(op porcupine.Operation) bool { return may(op.Input) })
	if i < 0 {
		return false
	}
	op := g.waiting[i]
	g.waiting = slices.Delete(g.waiting, i, i+1)
	switch m := op.Input.(type) {
	case take:
		g.left--
	case giveBack:
		g.left++
	case lend:
		g.left--
		g.lent[m.number] = true
	case unlend:
		g.left++
		delete(g.lent, m.number)
	}
	// Between this moment and the next event there is room for all of them.
	n := int64(len(g.ordered))
	op.Call, op.Return = 2*n, 2*n+1
	g.ordered = append(g.ordered, op)
	return true
}
