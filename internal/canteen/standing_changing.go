package canteen

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
)

// StandingChange is what somebody wants a standing order to be like from now on.
type StandingChange struct {
	StandingTerms
	// Version is the one that was seen.
	Version int
	// By is who has their purse pay if the payer is somebody new; empty if
	// nobody but the eater could, as at the counter.
	By string
	// Estate is where the eater lives, if meals are to be brought there.
	Estate string
}

// ChangeStanding is a standing order with other terms, or what is wrong with
// them. Who eats, the canteen and the meal stay: others make another standing
// order. So does the first day, once it has begun, and a purse pays of somebody
// else only if it did before or that is who asks.
//
// It counts from now on: what was ordered stays as it is, and days whose cut-off
// has passed are not made up for.
func ChangeStanding(o Standing, c Canteen, w StandingChange, now time.Time, loc *time.Location) (Standing, StandingMistakes) {
	t, today := w.StandingTerms, civil.DateOf(now, loc)
	var wrong StandingMistakes
	wrong.say(t.Canteen != o.Canteen || t.Meal != o.Meal, "meal", "another meal makes another standing order")
	if t.From != o.From {
		wrong.say(o.Begun(today), "from", "it has begun: the first day stays %s", o.From)
		wrong.checkBegin(t, today)
	}
	wrong.say(t.Until != (civil.Date{}) && t.Until.DaysSince(today) < 0, "until", "the last day is today or later; end it instead")
	payers := []string{""}
	if t.Payment == PayPurse {
		payers = []string{o.Eater, w.By, o.Payer}
	}
	wrong.say(!slices.Contains(payers, t.Payer) || t.Payment == PayPurse && t.Payer == "", "payer", "the purse of who eats, one's own, or the one that pays now")
	wrong.checkTerms(c, t, w.Estate)
	if len(wrong) > 0 {
		return o, wrong
	}
	if t.Payer != "" && t.Payer != o.Eater {
		// Who pays for somebody is who must still be allowed to order for them.
		o.OrderedBy = t.Payer
	}
	o.StandingTerms, o.Since, o.Version = t, now, o.Version+1
	return o, nil
}

// Begun reports whether a standing order's first day has come.
func (o Standing) Begun(today civil.Date) bool { return o.From.DaysSince(today) <= 0 }

// ChangeStanding gives a standing order within reach other terms. What is wrong
// with them is returned as StandingMistakes; ErrStale means that somebody else
// has changed it meanwhile, a *Refusal that it has ended. To ask for what it is
// like already is no error, so that a change can be repeated.
func (s *Store) ChangeStanding(ctx context.Context, a Act, w StandingChange) (Standing, error) {
	if !a.Staff {
		w.By = a.Actor
	}
	return s.actStanding(ctx, a, func(ctx context.Context, tx bun.Tx, o *Standing) error {
		if o.State(civil.DateOf(a.Now, a.Location)) == StandingEnded {
			return errStandingEnded()
		}
		same, err := sameTerms(o.StandingTerms, w.StandingTerms)
		if err != nil || same {
			return err
		}
		if o.Version != w.Version {
			return ErrStale
		}
		c, err := canteenIn(ctx, tx, o.Canteen)
		if err != nil {
			return err
		}
		changed, wrong := ChangeStanding(*o, c, w, a.Now, a.Location)
		if len(wrong) > 0 {
			return wrong
		}
		if err := s.noteMissed(ctx, tx, *o, c, a); err != nil {
			return err
		}
		*o = changed
		if a.Staff {
			return auditedStanding(ctx, tx, a.Now, Name+".standing-change", a.Actor, *o)
		}
		return nil
	})
}

// sameTerms reports whether two say the same.
func sameTerms(a, b StandingTerms) (bool, error) {
	one, err := digestOf(a)
	if err != nil {
		return false, err
	}
	other, err := digestOf(b)
	return one == other, err
}

// noteMissed writes of the days whose cut-off has passed unused that it has, and
// tells of them: once the standing order counts anew, nobody would.
func (s *Store) noteMissed(ctx context.Context, tx bun.Tx, o Standing, c Canteen, a Act) error {
	meal, ok := c.Meal(o.Meal)
	if !ok {
		return nil
	}
	today := civil.DateOf(a.Now, a.Location)
	for i := range placeAhead + 1 {
		day := today.AddDays(i)
		if a.Now.Before(TimesOf(meal, day, a.Location).CutOff) {
			continue
		}
		if _, _, err := s.takeTurn(ctx, tx, o, Wanted{Sitting: o.Sitting(day), Now: a.Now, Location: a.Location}); err != nil {
			return err
		}
	}
	return nil
}
