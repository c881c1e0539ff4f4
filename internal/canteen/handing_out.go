package canteen

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Serve ticks an order off: it was handed out. Doing it again is no error.
func (s *Store) Serve(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		switch {
		case o.State == StateServed:
			return nil
		case o.Next != nil:
			return errBusy()
		case o.State != StatePlaced && o.State != StateMissed:
			return refuse(RuleEnded, 0, "the order is %s and cannot be handed out", o.State)
		}
		o.State, o.EndedAt = StateServed, o.UpdatedAt
		if o.Money == MoneyHeld {
			o.Money = MoneyCapture // handed out before the cut-off, at which only what is still to come is taken
		}
		if o.Payment == PayCounter && o.Pays() == 0 && o.PaidAt.IsZero() {
			o.PaidAt, o.Money = o.UpdatedAt, MoneySale // the subsidy is to be entered all the same
		}
		return audited(ctx, tx, a.Now, Name+".order-serve", a.Actor, *o)
	})
}

// Unserve takes back that an order was ticked off by mistake.
func (s *Store) Unserve(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.State != StateServed {
			return nil
		}
		o.State, o.EndedAt = StatePlaced, time.Time{}
		if err := unrate(ctx, tx, o.ID); err != nil {
			return err
		}
		return audited(ctx, tx, a.Now, Name+".order-unserve", a.Actor, *o)
	})
}

// Pay notes that an order was paid at the counter. Doing it again is no error.
func (s *Store) Pay(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		switch {
		case !o.PaidAt.IsZero():
			return nil
		case o.Payment != PayCounter && o.Money != MoneyLost:
			return refuse(RuleEnded, 0, "the order is paid from a purse")
		case o.State != StatePlaced && o.State != StateServed:
			return refuse(RuleEnded, 0, "the order is %s and cannot be paid", o.State)
		}
		o.PaidAt, o.Money = o.UpdatedAt, MoneySale
		return audited(ctx, tx, a.Now, Name+".order-pay", a.Actor, *o)
	})
}
