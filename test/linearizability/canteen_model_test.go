package linearizability

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// move is an operation on something whose state is an S, with what was answered
// to it: the state after it, and whether it can have been answered like that.
type move[S comparable] interface {
	apply(s S) (S, bool)
}

// modelOf is the sequential truth of something that begins as it is said.
func modelOf[S comparable](initial S) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, in, _ any) (bool, any) {
			next, ok := in.(move[S]).apply(state.(S))
			return ok, next
		},
		DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%T%+v", in, in) },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

// shelf is the stock of a dish.
type shelf struct {
	left int
	// lent are the orders, by number, that have a portion while the purse is
	// asked, and will give it back.
	lent [8]uint64
}

type (
	// take is an order that was placed.
	take struct{}
	// giveBack is an order that was cancelled.
	giveBack struct{}
	// soldOut is an order for which nothing was left.
	soldOut struct{}
	// lend is an order that the purse will refuse, unlend the same when it has:
	// it has a portion meanwhile.
	lend   struct{ number int }
	unlend struct{ number int }
	// leftover is what the database has in the end.
	leftover struct{ left int }
)

func (take) apply(s shelf) (shelf, bool) {
	s.left--
	return s, s.left >= 0
}

func (giveBack) apply(s shelf) (shelf, bool) {
	s.left++
	return s, true
}

func (soldOut) apply(s shelf) (shelf, bool) { return s, s.left == 0 }

func (l lend) apply(s shelf) (shelf, bool) {
	s.left--
	s.lent[l.number/64] |= 1 << (l.number % 64)
	return s, s.left >= 0
}

func (u unlend) apply(s shelf) (shelf, bool) {
	before := s.lent
	s.left++
	s.lent[u.number/64] &^= 1 << (u.number % 64)
	return s, s.lent != before
}

func (l leftover) apply(s shelf) (shelf, bool) { return s, s.left == l.left }

// purse is the money of somebody, in fen.
type purse struct{ Balance, Held int64 }

type (
	// topUp is money that was paid in at the desk.
	topUp struct{ amount int64 }
	// hold is an order that was placed: its money is held.
	hold struct{ amount int64 }
	// tooLittle is an order that was refused for want of money.
	tooLittle struct{ amount int64 }
	// free is an order that was cancelled.
	free struct{ amount int64 }
	// inside is a look at the purse.
	inside struct{ purse }
)

func (m topUp) apply(p purse) (purse, bool) {
	p.Balance += m.amount
	return p, true
}

func (m hold) apply(p purse) (purse, bool) {
	p.Held += m.amount
	return p, p.Held <= p.Balance
}

func (m tooLittle) apply(p purse) (purse, bool) { return p, p.Balance-p.Held < m.amount }

func (m free) apply(p purse) (purse, bool) {
	p.Held -= m.amount
	return p, p.Held >= 0
}

func (m inside) apply(p purse) (purse, bool) { return p, p == m.purse }
