package canteen

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// changeTo changes an order to some portions.
func (w world) changeTo(t testing.TB, a Act, pork, rice int) (Order, error) {
	t.Helper()
	who := w.wanted(t, a.Actor, PayCounter, 1, 0)
	return w.Change(t.Context(), a, Content{Way: v1alpha1.WayPickUp, Lines: w.lines(pork, rice)}, who.Who, who.Tiers)
}

// by is what somebody does with the order at a moment; the cook is of the staff.
func (o Order) by(t testing.TB, actor, at string) Act {
	t.Helper()
	return Act{Reach: Reach{Actor: actor, Persons: []string{actor}, Staff: actor == "cook"}, ID: o.ID, Now: moment(t, at), Location: shanghai}
}

// TestChangeFrees: a change takes what is more and gives back what is less, at
// the counter at once, and from a purse when that has answered.
func TestChangeFrees(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		left := func(what string, want int) {
			t.Helper()
			if got := w.left(t); got != want {
				t.Errorf("%s: %d portions left, want %d", what, got, want)
			}
		}
		o := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 3, 0))
		a := o.by(t, "wang", sunday)
		must[Order](t)(w.changeTo(t, a, 1, 2))
		left("two fewer", 4)
		must[Order](t)(w.changeTo(t, a, 2, 0))
		left("one more", 3)
		o = w.mustPlace(t, w.wanted(t, "li", PayPurse, 2, 0))
		must[Order](t)(w.Answered(t.Context(), o.ID, 1, true, a.Now))
		left("li's", 1)
		_, err := w.changeTo(t, a, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		left("the last", 0)
		b := o.by(t, "li", sunday)
		_, err = w.changeTo(t, b, 3, 0)
		wantRule(t, err, RuleSoldOut)
		must[Order](t)(w.changeTo(t, b, 0, 1))
		left("the purse is still asked", 0)
		must[Order](t)(w.Answered(t.Context(), o.ID, 2, true, a.Now))
		left("rice instead", 2)
	})
}

// TestChangeRules: a change is held to the rules of an order, and what is over
// is not changed.
func TestChangeRules(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		o := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		for name, test := range map[string]struct {
			a          Act
			pork, rice int
			rule       Rule
		}{
			"at the cut-off":           {o.by(t, "wang", "2026-11-23T09:00:00+08:00"), 2, 0, RuleCutOff},
			"the cook after the meal":  {o.by(t, "cook", "2026-11-23T12:30:00+08:00"), 2, 0, RuleCutOff},
			"too much of a dish":       {o.by(t, "wang", sunday), 4, 0, RulePerOrder},
			"too many portions":        {o.by(t, "wang", sunday), 1, 6, RulePortions},
			"nothing":                  {o.by(t, "wang", sunday), 0, 0, RuleNothing},
			"more than there are left": {o.by(t, "cook", sunday), 6, 0, RuleSoldOut},
		} {
			_, err := w.changeTo(t, test.a, test.pork, test.rice)
			t.Run(name, func(t *testing.T) { wantRule(t, err, test.rule) })
		}
		if _, err := w.changeTo(t, o.by(t, "li", sunday), 2, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("somebody else's order: %v", err)
		}
		if o := must[Order](t)(w.Order(ctx, Reach{Staff: true}, o.ID)); Portions(o.Lines) != 1 || w.left(t) != 4 {
			t.Errorf("after what was refused: %+v", o)
		}
		// A second before, both can.
		must[Order](t)(w.changeTo(t, o.by(t, "wang", "2026-11-23T08:59:59+08:00"), 2, 0))
		must[Order](t)(w.changeTo(t, o.by(t, "cook", "2026-11-23T12:29:59+08:00"), 1, 0))

		cook := o.by(t, "cook", "2026-11-23T11:30:00+08:00")
		ended := func(what string) {
			t.Helper()
			if _, err := w.changeTo(t, cook, 2, 0); err == nil {
				t.Errorf("%s, and changed", what)
			} else {
				wantRule(t, err, RuleEnded)
			}
		}
		must[Order](t)(w.Serve(ctx, cook))
		ended("handed out")
		must[Order](t)(w.Unserve(ctx, cook))
		must[Order](t)(w.Pay(ctx, cook))
		ended("paid")
		must[Order](t)(w.Settled(ctx, o.ID, MoneySale, MoneySold, Posted{Taken: lunch(t).Day}, cook.Now))
		ended("paid and entered")
		must[Order](t)(w.Cancel(ctx, cook))
		ended("cancelled")
		if left := w.left(t); left != 5 {
			t.Errorf("%d portions left", left)
		}
		// From the cut-off on the money of a purse is taken.
		o = w.mustPlace(t, w.wanted(t, "li", PayPurse, 1, 0))
		must[Order](t)(w.Answered(ctx, o.ID, 1, true, moment(t, sunday)))
		if err := w.Advance(ctx, moment(t, "2026-11-23T09:00:00+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		cook.ID = o.ID
		ended("taken from the purse")
	})
}

// TestTierOfTheDay: what counts is how old somebody is on the day of the meal,
// not on that of the order, and the prices are those of the menu as it is now.
func TestTierOfTheDay(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		for eater, test := range map[string]struct {
			born    string
			subsidy int64
		}{"wang": {"1946-11-23", 900}, "li": {"1946-11-24", 0}} {
			want := w.wanted(t, eater, PayCounter, 1, 0)
			want.Who.BornOn = date(t, test.born)
			o := w.mustPlace(t, want)
			if o.Subsidy != test.subsidy {
				t.Errorf("born on %s: a subsidy of %d, want %d", test.born, o.Subsidy, test.subsidy)
			}
			o = must[Order](t)(w.Change(ctx, o.by(t, eater, sunday), Content{Way: v1alpha1.WayPickUp, Lines: w.lines(2, 0)}, want.Who, want.Tiers))
			if o.Total != 3600 || o.Subsidy != 2*test.subsidy {
				t.Errorf("born on %s, changed: %+v", test.born, o.Quote)
			}
		}
		must[Menu](t)(w.PutMenu(ctx, w.cook(t, sunday), Plan{Sitting: lunch(t), Version: 1, Published: true, Items: []PlanItem{{Dish: w.pork.ID, Price: 1600, Stock: 5}}}))
		o := w.mustPlace(t, w.wanted(t, "zhao", PayCounter, 1, 0))
		if o.Total != 1600 {
			t.Errorf("at the new price: %+v", o.Quote)
		}
		for _, wang := range must[[]Order](t)(w.Look(ctx, w.cook(t, sunday), lunch(t), false, shanghai)) {
			if wang.Eater != "wang" {
				continue
			}
			if wang.Total != 3600 {
				t.Errorf("what was ordered at the old price costs another: %+v", wang.Quote)
			}
			if wang = must[Order](t)(w.changeTo(t, wang.by(t, "wang", sunday), 1, 0)); wang.Total != 1600 {
				t.Errorf("changed at the old price: %+v", wang.Quote)
			}
		}
	})
}

// TestMenuChangedMeanwhile: nothing is ordered from a menu that was read beside
// the writers and changed since; it is read again.
func TestMenuChangedMeanwhile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		seen, err := w.offering(ctx, lunch(t))
		if err != nil {
			t.Fatal(err)
		}
		want := w.wanted(t, "wang", PayCounter, 1, 0)
		want.Key = "k"
		must[Menu](t)(w.PutMenu(ctx, w.cook(t, sunday), Plan{Sitting: lunch(t), Version: 1, Published: true, Items: []PlanItem{{Dish: w.pork.ID, Price: 1600, Stock: 5}}}))
		err = w.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := place(ctx, tx, want, seen, "digest")
			return err
		})
		if !errors.Is(err, errMenuChanged) || w.left(t) != 5 {
			t.Errorf("ordered from the menu that was: %v, %d left", err, w.left(t))
		}
		if o := w.mustPlace(t, want); o.Total != 1600 || w.left(t) != 4 {
			t.Errorf("ordered for %d, %d left", o.Total, w.left(t))
		}
	})
}

// TestLimits: as much as is allowed, to the portion, the character and the
// second; and the staff may do more.
func TestLimits(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		want := w.wanted(t, "wang", PayCounter, 3, 3)
		want.Wish = strings.Repeat("软", 101)
		_, _, err := w.Place(t.Context(), want)
		wantRule(t, err, RuleWishLength)
		want.Wish, want.Now = strings.Repeat("软", 100), moment(t, "2026-11-23T08:59:59+08:00")
		w.mustPlace(t, want)
		staff := w.wanted(t, "li", PayCounter, 2, 40)
		staff.Staff, staff.OrderedBy, staff.Now = true, "cook", moment(t, "2026-11-23T12:29:59+08:00")
		w.mustPlace(t, staff)
		want = w.wanted(t, "zhao", PayCounter, 0, 1)
		want.Way, want.Home.Estate, want.Now = v1alpha1.WayDelivery, "huayuan", moment(t, sunday).Add(-time.Hour)
		w.mustPlace(t, want)
	})
}

// TestToldOfCancel: who eats learns that the kitchen has cancelled their meal,
// and is not told what they did themselves.
func TestToldOfCancel(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		var told []News
		w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
		for _, test := range []struct {
			actor, eater string
			told         int
		}{{"wang", "wang", 0}, {"cook", "wang", 1}, {"cook", "cook", 0}} {
			told = nil
			o := w.mustPlace(t, w.wanted(t, test.eater, PayCounter, 1, 0))
			must[Order](t)(w.Cancel(t.Context(), o.by(t, test.actor, sunday)))
			if len(told) != test.told || test.told == 1 && (told[0].Kind != NewsCancelled || told[0].Order.Eater != test.eater) {
				t.Errorf("%s cancelled the meal of %s: told %+v", test.actor, test.eater, told)
			}
		}
	})
}
