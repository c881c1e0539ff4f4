package canteen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

// The purse is a service of its own: an order and its money cannot be written
// in one transaction. So an order first says, durably, what is due of its
// payment, then the purse is asked under the order's ID, which may be done any
// number of times, and then the order says what has come of it. Whoever is
// killed in between leaves something due behind, which is gone on with.

// settleEvery is how often payments that are due are gone on with, settleAfter
// how long after somebody else tried to, who may still be at it.
const (
	settleEvery = 5 * time.Second
	settleAfter = 10 * time.Second
)

// place places an order and has the purse hold its money. If the purse cannot
// be reached the order is kept and goes on by itself; the error says so.
func (s *service) place(ctx context.Context, w Wanted) (Order, error) {
	o, replayed, err := s.store.Place(ctx, w)
	s.metrics.counted(err)
	if err != nil {
		return o, err
	}
	if !replayed {
		s.metrics.placed.Inc()
	}
	return s.answered(s.settle(ctx, o))
}

// change changes an order and has the purse hold its money. The order stays as
// it was if the purse has too little.
func (s *service) change(ctx context.Context, a Act, want Content, who Eater, tiers []v1alpha1.Tier) (Order, error) {
	o, err := s.store.Change(ctx, a, want, who, tiers)
	s.metrics.counted(err)
	if err != nil || o.Money != MoneyHolding {
		return o, err
	}
	o, held, err := s.hold(context.WithoutCancel(ctx), o)
	if err == nil && !held {
		err = errTooLittle()
	}
	return o, err
}

// cancel cancels an order and gives back its money.
func (s *service) cancel(ctx context.Context, a Act) (Order, error) {
	o, err := s.store.Cancel(ctx, a)
	if err != nil {
		return o, err
	}
	s.metrics.cancelled.Inc()
	return s.quietly(ctx, o), nil
}

// pay notes that an order was paid at the counter, and enters it.
func (s *service) pay(ctx context.Context, a Act) (Order, error) {
	o, err := s.store.Pay(ctx, a)
	if err != nil {
		return o, err
	}
	return s.quietly(ctx, o), nil
}

// serve ticks an order off, and takes its money if it was handed out before
// the cut-off, at which only what is still to come is taken.
func (s *service) serve(ctx context.Context, a Act) (Order, error) {
	o, err := s.store.Serve(ctx, a)
	if err != nil {
		return o, err
	}
	return s.quietly(ctx, o), nil
}

// quietly goes on with a payment; what fails is tried again later and does not
// concern who asked.
func (s *service) quietly(ctx context.Context, o Order) Order {
	settled, err := s.settle(ctx, o)
	if err != nil {
		s.log.WarnContext(ctx, "a payment is gone on with later", "order", o.ID.String(), "error", err.Error())
		return o
	}
	return settled
}

// answered turns an order that the purse has refused into a refusal.
func (s *service) answered(o Order, err error) (Order, error) {
	if err == nil && o.State == StateRefused {
		err = errTooLittle()
	}
	return o, err
}

// errTooLittle says that the purse has too little.
func errTooLittle() error {
	return refuse(RuleMoney, 0, "there is too little in the purse; top it up, or pay at the counter")
}

// settle goes on with the payment of an order until nothing is due.
func (s *service) settle(ctx context.Context, o Order) (Order, error) {
	// Who has gone away must not leave it half done.
	ctx = context.WithoutCancel(ctx)
	for {
		next, err := s.step(ctx, o)
		if err != nil || next.Money == o.Money && next.Revision == o.Revision {
			return next, err
		}
		o = next
	}
}

// step does what is due of an order's payment, if anything is.
func (s *service) step(ctx context.Context, o Order) (Order, error) {
	now := s.clock.Now()
	switch o.Money {
	case MoneyHolding:
		o, _, err := s.hold(ctx, o)
		return o, err
	case MoneyCapture:
		on, taken, err := s.till.capture(ctx, o)
		if err != nil {
			return o, err
		}
		to := MoneyCaptured
		if !taken {
			to = MoneyLost
		}
		return s.store.Settled(ctx, o.ID, o.Money, to, Posted{Taken: s.dayOf(on)}, now)
	case MoneyRelease:
		if err := s.till.release(ctx, o); err != nil {
			return o, err
		}
		return s.store.Settled(ctx, o.ID, o.Money, MoneyReleased, Posted{}, now)
	case MoneySale:
		on, err := s.till.sale(ctx, o, s.memo(s.canteenOf(ctx, o), o))
		if err != nil {
			return o, err
		}
		return s.store.Settled(ctx, o.ID, o.Money, MoneySold, Posted{Taken: s.dayOf(on)}, now)
	case MoneyRefund:
		to, on, err := s.refund(ctx, o)
		if err != nil {
			return o, err
		}
		return s.store.Settled(ctx, o.ID, o.Money, to, on, now)
	}
	return o, nil
}

// hold asks the purse about what an order shall be.
func (s *service) hold(ctx context.Context, o Order) (Order, bool, error) {
	at := s.canteenOf(ctx, o)
	held, err := s.till.hold(ctx, o, s.memo(at, o), s.holdUntil(at, o))
	if err != nil {
		return o, false, err
	}
	now := s.clock.Now()
	if held && o.State == StatePlacing {
		if placed, done, err := s.store.placed(ctx, o, now); err != nil || done {
			return placed, held, err
		}
	}
	o, err = s.store.Answered(ctx, o.ID, o.Revision, held, now)
	return o, held, err
}

// refund has it entered that an order was paid, if that was not done yet, and
// gives it back. The ledger is asked for the day of both: whether this order
// knows that it was paid depends on what was stopped when.
func (s *service) refund(ctx context.Context, o Order) (Money, Posted, error) {
	of, to, taken := "sales", "Cash", true
	var paid, back civil.Date
	var err error
	if !o.PaidAt.IsZero() {
		paid, err = s.till.sale(ctx, o, s.memo(s.canteenOf(ctx, o), o))
	} else {
		of, to = "holds", "Purse"
		paid, taken, err = s.till.capture(ctx, o)
	}
	if err != nil || !taken {
		return MoneyReleased, Posted{}, err
	}
	back, err = s.till.refund(ctx, o, of, to)
	return MoneyRefunded, Posted{Taken: s.dayOf(paid), Returned: s.dayOf(back)}, err
}

// dayOf is the day under which the ledger has something; today if there was
// nothing to enter, as of an order that costs nothing.
func (s *service) dayOf(posted civil.Date) civil.Date {
	if posted == (civil.Date{}) {
		return s.today()
	}
	return posted
}

// canteenOf is the canteen of an order; the zero value if it cannot be read.
func (s *service) canteenOf(ctx context.Context, o Order) Canteen {
	c, err := s.store.Canteen(ctx, o.Canteen)
	if err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
		// What a statement says is no reason not to settle.
		s.log.WarnContext(ctx, "the canteen of an order could not be read", "error", err.Error())
	}
	return c
}

// holdUntil is until when the money of an order at a canteen stays held at most.
func (s *service) holdUntil(at Canteen, o Order) time.Time {
	end := o.Day.AddDays(1).Noon(s.location())
	if meal, ok := at.Meal(o.Meal); ok {
		end = TimesOf(meal, o.Day, s.location()).To
	}
	return end.Add(holdFor)
}

// memo is what statements call an order at a canteen, by language.
func (s *service) memo(at Canteen, o Order) map[string]string {
	memo := map[string]string{}
	for lang, v := range s.words() {
		memo[string(lang)] = v.T("canteen.memo", "Day", v.Date(o.Day.Noon(s.location())), "Meal", at.mealName(o.Meal))
	}
	return memo
}

// settleDue goes on with payments that are due and that nobody is at.
func (s *service) settleDue(ctx context.Context) {
	due, err := s.store.Due(ctx, s.clock.Now().Add(-settleAfter))
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "payments that are due were not found", "error", err.Error())
		}
		return
	}
	for _, o := range due {
		if ctx.Err() != nil {
			return
		}
		if _, err := s.settle(ctx, o); err != nil {
			s.metrics.unsettled.Inc()
			s.log.WarnContext(ctx, "a payment is gone on with later", "order", o.ID.String(), "money", string(o.Money), "error", err.Error())
			if err := s.store.Tried(ctx, o.ID, s.clock.Now()); err != nil {
				s.log.ErrorContext(ctx, "an order was not noted as tried", "order", o.ID.String(), "error", err.Error())
			}
		}
	}
}

// advance has happen what time brings.
func (s *service) advance(ctx context.Context) {
	if err := s.store.Advance(ctx, s.clock.Now(), s.location()); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "what is due was not done", "error", err.Error())
	}
	s.settleDue(ctx)
}

// guestPrefix is what the IDs of people without a record begin with.
const guestPrefix = "guest:"

func isGuest(person string) bool { return strings.HasPrefix(person, guestPrefix) }

// newGuest is an ID for somebody at the counter of whom nothing is known.
func newGuest() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("making an id: %w", err)
	}
	return guestPrefix + id.String(), nil
}
