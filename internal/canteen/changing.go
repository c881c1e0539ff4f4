package canteen

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
)

// errBusy refuses to change an order while the purse is asked about it.
func errBusy() error {
	return refuse(RuleBusy, 0, "the purse is still being asked about the order; try again in a moment")
}

// Change asks for another content of an order. The price is that of the eater's
// tier, at the prices of the menu as it is now. What costs more or less is held
// in the purse first; until then the order stays as it was.
func (s *Store) Change(ctx context.Context, a Act, want Content, who Eater, tiers []v1alpha1.Tier) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.Next != nil {
			return errBusy()
		}
		if o.State != StatePlaced || !slices.Contains([]Money{MoneyNone, MoneyHeld}, o.Money) || !o.PaidAt.IsZero() {
			return refuse(RuleEnded, 0, "the order is %s and cannot be changed", o.State)
		}
		c, err := canteenIn(ctx, tx, o.Canteen)
		if err != nil {
			return err
		}
		m, err := menuIn(ctx, tx, o.Sitting)
		if err != nil {
			return err
		}
		if refusal := Check(c, m, want, a.Staff, a.Now, a.Location); refusal != nil {
			return refusal
		}
		want.Lines = priced(m, want.Lines)
		want.Quote = Price(tiers, who, o.Day, want.Lines)
		change := delta(o.Lines, want.Lines)
		if err := take(ctx, tx, o.Sitting, rises(change)); err != nil {
			return err
		}
		o.Revision++
		if o.Payment == PayPurse && want.Pays() != o.Pays() {
			o.Next, o.Money = &want, MoneyHolding
		} else {
			if err := take(ctx, tx, o.Sitting, falls(change)); err != nil {
				return err
			}
			o.Content = want
		}
		if a.Staff {
			return audited(ctx, tx, a.Now, Name+".order-change", a.Actor, *o)
		}
		return nil
	})
}

// Answered takes what the purse says to the content that it was asked about
// under a revision: it is held, or there is too little. To say it again is no
// error.
func (s *Store) Answered(ctx context.Context, id uuid.UUID, revision int, held bool, now time.Time) (Order, error) {
	return s.act(ctx, Act{Reach: Reach{Staff: true}, ID: id, Now: now}, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.Next == nil || o.Revision != revision {
			return nil
		}
		change := delta(o.Lines, o.Next.Lines)
		first := o.State == StatePlacing
		if first {
			change = delta(nil, o.Next.Lines)
		}
		switch {
		case held:
			if err := take(ctx, tx, o.Sitting, falls(change)); err != nil {
				return err
			}
			o.Content, o.State, o.Money = *o.Next, StatePlaced, MoneyHeld
		default:
			if err := giveBack(ctx, tx, o.Sitting, rises(change)); err != nil {
				return err
			}
			o.Money = MoneyHeld
			if first {
				o.State, o.Money, o.EndedAt = StateRefused, MoneyNone, o.UpdatedAt
			}
			if first && o.Standing != uuid.Nil { // nobody waits for the answer
				o.Next = nil
				return s.tell(ctx, tx, News{Kind: NewsStandingNot, Order: *o, Why: outcomeRefused, Now: now})
			}
		}
		o.Next = nil
		return nil
	})
}

// placed is Answered for a new order for which the money is held, as almost all
// are: without reading it again. It is false, and nothing is done, if the order
// is not as it was any more.
func (s *Store) placed(ctx context.Context, o Order, now time.Time) (placed Order, done bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		affected, err := database.Exec(ctx, tx, database.Statement{
			For:  "noting that an order was placed",
			Text: "UPDATE orders SET state = ?, money = ?, next = NULL, tried_at = ?, updated_at = ? WHERE id = ? AND revision = ? AND state = ? AND money = ?",
			Args: []any{string(StatePlaced), string(MoneyHeld), now.Unix(), now.Unix(), o.ID, o.Revision, string(StatePlacing), string(MoneyHolding)},
		})
		done = err == nil && affected[0] == 1
		return err
	})
	if err != nil || !done {
		return o, false, err
	}
	o.Content, o.Next, o.State, o.Money, o.UpdatedAt = *o.Next, nil, StatePlaced, MoneyHeld, time.Unix(now.Unix(), 0)
	return o, true, nil
}

// Cancel cancels an order and gives its portions back. Residents can until the
// cut-off, staff as long as it was not served; what was paid is given back.
// Cancelling again is no error.
func (s *Store) Cancel(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error { return s.cancel(ctx, tx, a, o) })
}

// cancel is Cancel within a transaction, which keeps the order.
func (s *Store) cancel(ctx context.Context, tx bun.Tx, a Act, o *Order) error {
	if o.State == StateCancelled || o.State == StateRefused {
		return nil
	}
	if o.Next != nil {
		return errBusy()
	}
	if o.State != StatePlaced {
		return refuse(RuleEnded, 0, "the order is %s and cannot be cancelled", o.State)
	}
	if !a.Staff {
		if err := beforeCutOff(ctx, tx, *o, a); err != nil {
			return err
		}
	}
	if err := giveBack(ctx, tx, o.Sitting, o.Lines); err != nil {
		return err
	}
	o.State, o.EndedAt = StateCancelled, o.UpdatedAt
	switch o.Money {
	case MoneyHeld:
		o.Money = MoneyRelease
	case MoneyCapture, MoneyCaptured, MoneySale, MoneySold:
		// What is not taken yet is taken first, and then given back: the
		// ledger tells what has happened.
		o.Money = MoneyRefund
	}
	if !a.Staff {
		return nil
	}
	if err := audited(ctx, tx, a.Now, Name+".order-cancel", a.Actor, *o); err != nil || a.Actor == o.Eater {
		return err
	}
	return s.tell(ctx, tx, News{Kind: NewsCancelled, Order: *o, Now: a.Now})
}

func beforeCutOff(ctx context.Context, tx bun.Tx, o Order, a Act) error {
	c, err := canteenIn(ctx, tx, o.Canteen)
	if err != nil {
		return err
	}
	meal, ok := c.Meal(o.Meal)
	if !ok {
		return refuse(RuleUnknownSitting, 0, "the canteen has no such meal any more; ask the staff")
	}
	if cutOff := TimesOf(meal, o.Day, a.Location).CutOff; !a.Now.Before(cutOff) {
		return refuse(RuleCutOff, cutOff.Unix(), "orders could be changed until %s", cutOff.In(a.Location).Format(time.DateTime))
	}
	return nil
}
