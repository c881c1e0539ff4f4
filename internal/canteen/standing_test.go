package canteen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

// someOf draws some of a list, each at most once.
func someOf[T any](r *rapid.T, list []T, label string) []T {
	var out []T
	for _, e := range list {
		if rapid.Bool().Draw(r, label) {
			out = append(out, e)
		}
	}
	return out
}

// TestChooseProperties: whatever is on a menu and wished for, nobody gets what
// makes them ill, what they may not eat, two dishes of a kind, or one of which
// nothing is left; and the same menu gives the same dishes.
func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var m Menu
		for i := range rapid.IntRange(0, 8).Draw(r, "dishes") {
			stock := rapid.IntRange(0, 3).Draw(r, "stock")
			m.Items = append(m.Items, Item{
				Dish: Dish{
					ID: uuid.New(), Name: fmt.Sprint(i), Kind: rapid.SampledFrom(Kinds).Draw(r, "kind"),
					Allergens: someOf(r, Allergens[:3], "allergen"), Tags: someOf(r, Tags, "tag"),
				},
				Stock: stock, Taken: rapid.IntRange(0, stock).Draw(r, "taken"),
			})
		}
		w := DishWish{Kinds: someOf(r, Kinds, "of kind"), Avoid: someOf(r, Allergens[:3], "avoid"), Require: someOf(r, Tags[:2], "require"), Prefer: someOf(r, Tags, "prefer")}
		lines, lack := Choose(m, w)
		if again, _ := Choose(m, w); !slices.Equal(again, lines) {
			t.Fatalf("chose %v, then %v", lines, again)
		}
		if (len(lines) == 0) != (lack != "") {
			t.Fatalf("%d lines, and a lack %q", len(lines), lack)
		}
		seen := map[Kind]bool{}
		main := false
		for _, l := range lines {
			item, ok := m.Item(idOf(l.Dish))
			d := item.Dish
			if !ok || l.Portions != 1 || item.Left() <= 0 {
				t.Fatalf("%+v of %+v", l, item)
			}
			if seen[d.Kind] || !slices.Contains(w.Kinds, d.Kind) {
				t.Fatalf("one too many of %s: %v", d.Kind, lines)
			}
			seen[d.Kind] = true
			main = main || slices.Contains(mains, d.Kind)
			for _, a := range w.Avoid {
				if slices.Contains(d.Allergens, a) {
					t.Fatalf("%s has %s", d.Name, a)
				}
			}
			for _, tag := range w.Require {
				if !slices.Contains(d.Tags, tag) {
					t.Fatalf("%s is not %s", d.Name, tag)
				}
			}
		}
		if wantsMain := slices.ContainsFunc(w.Kinds, func(k Kind) bool { return slices.Contains(mains, k) }); wantsMain && !main && len(lines) > 0 {
			t.Fatalf("a meal without its main dish: %v", lines)
		}
		// What could have been had of a kind is had, if there is a meal at all.
		for _, item := range m.Items {
			if lack == "" && slices.Contains(w.Kinds, item.Dish.Kind) && w.allows(item.Dish) && item.Left() > 0 && !seen[item.Dish.Kind] {
				t.Fatalf("%s is left out: %v", item.Dish.Name, lines)
			}
		}
	})
}

func TestChoose(t *testing.T) {
	item := func(name string, kind Kind, left int, allergens []Allergen, tags ...Tag) Item {
		return Item{Dish: Dish{ID: uuid.New(), Name: name, Kind: kind, Allergens: allergens, Tags: tags}, Stock: left}
	}
	pork, fish, soft := item("pork", KindMeat, 1, []Allergen{"Soya"}), item("fish", KindMeat, 1, []Allergen{"Fish"}), item("soft", KindMeat, 1, nil, "Soft")
	gone, rice, halal := item("gone", KindMeat, 0, nil, "Halal"), item("rice", KindStaple, 9, nil), item("halal", KindVegetable, 9, nil, "Halal")
	for name, c := range map[string]struct {
		menu []Item
		wish DishWish
		want []string
		lack Lack
	}{
		"the first on the menu":         {[]Item{pork, fish, rice}, DishWish{Kinds: []Kind{KindStaple, KindMeat}}, []string{"pork", "rice"}, ""},
		"rather a soft one":             {[]Item{pork, soft}, DishWish{Kinds: []Kind{KindMeat}, Prefer: []Tag{"Soft"}}, []string{"soft"}, ""},
		"not what makes ill":            {[]Item{pork, fish}, DishWish{Kinds: []Kind{KindMeat}, Avoid: []Allergen{"Soya"}}, []string{"fish"}, ""},
		"sold out ones are passed over": {[]Item{gone, pork}, DishWish{Kinds: []Kind{KindMeat}}, []string{"pork"}, ""},
		"without the soup":              {[]Item{pork}, DishWish{Kinds: []Kind{KindMeat, KindSoup}}, []string{"pork"}, ""},
		"never rice alone":              {[]Item{fish, rice}, DishWish{Kinds: []Kind{KindMeat, KindStaple}, Avoid: []Allergen{"Fish"}}, nil, LackSuitable},
		"another main dish will do":     {[]Item{fish, halal}, DishWish{Kinds: []Kind{KindMeat, KindVegetable}, Require: []Tag{"Halal"}}, []string{"halal"}, ""},
		"only rice, if that is asked":   {[]Item{pork, rice}, DishWish{Kinds: []Kind{KindStaple}}, []string{"rice"}, ""},
		"none of the kind":              {[]Item{pork}, DishWish{Kinds: []Kind{KindSet}}, nil, LackKind},
		"sold out":                      {[]Item{gone, pork}, DishWish{Kinds: []Kind{KindMeat}, Require: []Tag{"Halal"}}, nil, LackSoldOut},
		"no menu":                       {nil, DishWish{Kinds: []Kind{KindSoup}}, nil, LackKind},
	} {
		m := Menu{Items: c.menu}
		lines, lack := Choose(m, c.wish)
		var got []string
		for _, l := range lines {
			chosen, _ := m.Item(idOf(l.Dish))
			got = append(got, chosen.Dish.Name)
		}
		if !slices.Equal(got, c.want) || lack != c.lack {
			t.Errorf("%s: %v %q, want %v %q", name, got, lack, c.want, c.lack)
		}
	}
}

// TestTurnOf: when something is done for a day, in zones of all kinds.
func TestTurnOf(t *testing.T) {
	zone := func(name string) *time.Location { return must[*time.Location](t)(time.LoadLocation(name)) }
	place := lakeside()
	place.Meals = append(place.Meals, v1alpha1.Meal{Name: "breakfast", From: "06:30", To: "08:00", CutOff: "02:30", Ways: []v1alpha1.Way{v1alpha1.WayPickUp}},
		v1alpha1.Meal{Name: "night", From: "22:00", To: "23:30", CutOff: "00:00", Ways: []v1alpha1.Way{v1alpha1.WayPickUp}})
	place.ClosedDates = []string{"2026-11-25"}
	c := must[Canteen](t)(ParseCanteen(place))
	for _, test := range []struct {
		zone, meal, day, now string
		unpublished          bool
		want                 Turn
	}{
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-23T08:59:59+08:00", false, TurnWait},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-23T09:00:00+08:00", false, TurnPlace},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-23T09:00:00+08:00", true, TurnWait},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-24T08:59:59+08:00", false, TurnPlace},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-24T09:00:00+08:00", false, TurnMissed},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-24T09:00:00+08:00", true, TurnMissed},
		{"Asia/Shanghai", "lunch", "2026-11-24", "2026-11-24T12:30:00+08:00", false, TurnNone},
		{"Asia/Shanghai", "lunch", "2026-11-25", "2026-11-25T08:00:00+08:00", true, TurnNone}, // closed
		{"Asia/Shanghai", "lunch", "2026-11-28", "2026-11-27T20:00:00+08:00", false, TurnNone},
		// The evening before, for a meal with an earlier cut-off.
		{"Asia/Shanghai", "supper", "2026-11-24", "2026-11-22T19:59:59+08:00", false, TurnWait},
		{"Asia/Shanghai", "supper", "2026-11-24", "2026-11-22T20:00:00+08:00", false, TurnPlace},
		{"Asia/Shanghai", "supper", "2026-11-24", "2026-11-23T20:00:00+08:00", false, TurnMissed},
		// Two hours west, noon comes later.
		{"Asia/Urumqi", "lunch", "2026-11-24", "2026-11-23T09:00:00+08:00", false, TurnWait},
		{"Asia/Urumqi", "lunch", "2026-11-24", "2026-11-23T11:00:00+08:00", false, TurnPlace},
		{"Asia/Urumqi", "lunch", "2026-11-24", "2026-11-24T10:59:59+08:00", false, TurnPlace},
		// Around midnight the day is the community's, not UTC's.
		{"Asia/Shanghai", "night", "2026-11-24", "2026-11-22T23:59:59+08:00", false, TurnWait},
		{"Asia/Shanghai", "night", "2026-11-24", "2026-11-23T00:00:00+08:00", false, TurnPlace},
		{"Asia/Shanghai", "night", "2026-11-24", "2026-11-23T23:59:59+08:00", false, TurnPlace},
		{"Asia/Shanghai", "night", "2026-11-24", "2026-11-24T00:00:00+08:00", false, TurnMissed},
		// Clocks are put forward over half past two on Sunday 14 March 2027, and
		// back over it on 1 November 2026: the first of the two is meant.
		{"America/New_York", "breakfast", "2027-03-15", "2027-03-14T03:29:59-04:00", false, TurnWait},
		{"America/New_York", "breakfast", "2027-03-15", "2027-03-14T03:30:00-04:00", false, TurnPlace},
		{"America/New_York", "breakfast", "2026-11-02", "2026-11-01T02:29:59-05:00", false, TurnWait},
		{"America/New_York", "breakfast", "2026-11-02", "2026-11-01T02:30:00-05:00", false, TurnPlace},
		{"America/New_York", "lunch", "2027-03-15", "2027-03-14T08:59:59-04:00", false, TurnWait},
		{"America/New_York", "lunch", "2027-03-15", "2027-03-14T09:00:00-04:00", false, TurnPlace},
	} {
		loc := zone(test.zone)
		o := Standing{StandingTerms: StandingTerms{Canteen: "lakeside", Meal: test.meal, From: date(t, "2026-10-01"), Weekdays: weekdays[:5]}, Since: moment(t, "2026-10-01T00:00:00Z")}
		m := Menu{Sitting: o.Sitting(date(t, test.day)), PublishedAt: moment(t, "2026-10-01T00:00:00Z")}
		if test.unpublished {
			m.PublishedAt = time.Time{}
		}
		if got := TurnOf(o, c, m, moment(t, test.now), loc); got != test.want {
			t.Errorf("%s on %s in %s at %s: %q, want %q", test.meal, test.day, test.zone, test.now, got, test.want)
		}
	}
	// What is not wanted, and what was asked for after the cut-off.
	day := date(t, "2026-11-24")
	now := moment(t, "2026-11-24T08:00:00+08:00")
	o := Standing{StandingTerms: StandingTerms{Canteen: "lakeside", Meal: "lunch", From: day, Until: day, Weekdays: weekdays}, Since: now.Add(-time.Hour)}
	m := Menu{Sitting: o.Sitting(day), PublishedAt: now}
	for name, change := range map[string]func(o *Standing){
		"ended": func(o *Standing) { o.EndedAt = now }, "paused": func(o *Standing) { o.PausedAt = now }, "skipped": func(o *Standing) { o.Skips = []civil.Date{day} },
		"later":       func(o *Standing) { o.From = day.AddDays(1); o.Until = civil.Date{} },
		"over":        func(o *Standing) { o.From, o.Until = day.AddDays(-2), day.AddDays(-1) },
		"asked after": func(o *Standing) { o.Since = moment(t, "2026-11-24T09:00:00+08:00") },
	} {
		changed := o
		change(&changed)
		if got := TurnOf(changed, c, m, now, shanghai); got != TurnNone {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := TurnOf(o, c, m, now, shanghai); got != TurnPlace {
		t.Errorf("as it was: %q", got)
	}
}

// lunches is Wang's lunch of a meat dish and a staple every weekday, which she
// has wanted since Saturday, and pays from her purse.
func (w world) lunches(t testing.TB, change func(o *StandingWanted)) Standing {
	t.Helper()
	want := StandingWanted{
		StandingTerms: StandingTerms{
			Canteen: "lakeside", Meal: "lunch", Weekdays: weekdays[:5], From: date(t, "2026-11-21"), Way: v1alpha1.WayPickUp, Payment: PayPurse, Payer: "wang",
			Dishes: DishWish{Kinds: []Kind{KindMeat, KindStaple}},
		},
		Eater: "wang", OrderedBy: "wang", Now: moment(t, "2026-11-21T18:00:00+08:00"),
	}
	if change != nil {
		change(&want)
	}
	return must[Standing](t)(w.AddStanding(t.Context(), want))
}

// turn does what is to be done for Monday's lunch.
func (w world) turn(t testing.TB, o Standing, now string) (Order, Outcome) {
	t.Helper()
	order, outcome, err := w.TakeTurn(t.Context(), o, w.turnWanted(t, o, now))
	if err != nil {
		t.Fatal(err)
	}
	return order, outcome
}

func (w world) turnWanted(t testing.TB, o Standing, now string) Wanted {
	want := w.wanted(t, o.Eater, o.Payment, 0, 0)
	want.Content, want.Now = Content{}, moment(t, now)
	return want
}

// TestStandingOnce: a day is placed once, whoever tries to, and however often.
func TestStandingOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		o := w.lunches(t, nil)
		if turns := must[[]StandingTurn](t)(w.StandingTurns(t.Context(), moment(t, "2026-11-22T08:59:59+08:00"), shanghai)); len(turns) != 0 {
			t.Fatalf("too early: %+v", turns)
		}
		turns := must[[]StandingTurn](t)(w.StandingTurns(t.Context(), moment(t, sunday), shanghai))
		if len(turns) != 1 || turns[0].Day != lunch(t).Day || turns[0].Turn != TurnPlace {
			t.Fatalf("%+v", turns)
		}
		outcomes := make([]Outcome, 8)
		var all sync.WaitGroup
		for i := range outcomes {
			all.Go(func() {
				_, outcome, err := w.TakeTurn(t.Context(), o, w.turnWanted(t, o, sunday))
				if err != nil {
					t.Error(err)
				}
				outcomes[i] = outcome
			})
		}
		all.Wait()
		slices.Sort(outcomes)
		if outcomes[7] != OutcomeOrdered || outcomes[6] != "" {
			t.Errorf("outcomes %q", outcomes)
		}
		orders := must[[]Order](t)(w.Orders(t.Context(), Reach{Persons: []string{"wang"}}, lunch(t).Day, false, 10))
		if len(orders) != 1 || orders[0].Standing != o.ID || orders[0].Total != 2000 || orders[0].Pays() != 1000 || orders[0].Payer != "wang" || w.left(t) != 4 {
			t.Fatalf("%+v, %d left", orders, w.left(t))
		}
		if turns := must[[]StandingTurn](t)(w.StandingTurns(t.Context(), moment(t, sunday), shanghai)); len(turns) != 0 {
			t.Errorf("once more: %+v", turns)
		}
		// What its eater cancels is not ordered again by itself, but if they say so.
		must[Order](t)(w.Answered(t.Context(), orders[0].ID, 1, true, moment(t, sunday)))
		a := Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: orders[0].ID, Now: moment(t, sunday), Location: shanghai}
		must[Order](t)(w.Cancel(t.Context(), a))
		if _, outcome := w.turn(t, o, sunday); outcome != "" {
			t.Errorf("what was cancelled is ordered again: %s", outcome)
		}
		a.ID = o.ID
		must[Standing](t)(w.WantAgain(t.Context(), a, []civil.Date{lunch(t).Day}))
		if order, outcome := w.turn(t, o, sunday); outcome != OutcomeOrdered || order.ID == orders[0].ID || w.left(t) != 4 {
			t.Errorf("wanted again: %s, %d left", outcome, w.left(t))
		}
		a.Now = moment(t, "2026-11-23T09:00:00+08:00")
		_, err := w.WantAgain(t.Context(), a, []civil.Date{lunch(t).Day})
		wantRule(t, err, RuleCutOff)
	})
}

// TestStandingOutcomes: what comes of a day that cannot be ordered, who is told,
// and that nothing is taken.
func TestStandingOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *StandingWanted)
		before func(t *testing.T, w world)
		now    string
		want   Outcome
		told   bool
	}{
		"no such kind":       {func(o *StandingWanted) { o.Dishes.Kinds = []Kind{KindSet} }, nil, sunday, OutcomeNoKind, true},
		"nothing suits":      {func(o *StandingWanted) { o.Dishes.Avoid = []Allergen{"Soya"} }, nil, sunday, OutcomeNoDish, true},
		"not brought there":  {func(o *StandingWanted) { o.Way = v1alpha1.WayDelivery }, nil, sunday, OutcomeNoHome, true},
		"a way that is gone": {func(o *StandingWanted) { o.Way = "Drone" }, nil, sunday, OutcomeRules, true},
		"too late":           {nil, nil, "2026-11-23T09:00:00+08:00", OutcomeTooLate, true},
		"over":               {nil, nil, "2026-11-23T12:30:00+08:00", "", false},
		"sold out": {nil, func(t *testing.T, w world) {
			chen := w.wanted(t, "chen", PayCounter, 5, 0)
			chen.Staff = true
			w.mustPlace(t, chen)
		}, sunday, OutcomeSoldOut, true},
		"no menu": {nil, func(t *testing.T, w world) {
			must[Menu](t)(w.PutMenu(t.Context(), By{Actor: "cook", Now: moment(t, sunday)}, Plan{Sitting: lunch(t), Version: 1}))
		}, "2026-11-23T09:00:00+08:00", OutcomeNoMenu, true},
		"no menu yet": {nil, func(t *testing.T, w world) {
			must[Menu](t)(w.PutMenu(t.Context(), By{Actor: "cook", Now: moment(t, sunday)}, Plan{Sitting: lunch(t), Version: 1}))
		}, "2026-11-23T08:59:59+08:00", "", false},
		"ordered by hand": {nil, func(t *testing.T, w world) { w.mustPlace(t, w.wanted(t, "wang", PayCounter, 0, 1)) }, sunday, OutcomeExisting, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w world) {
				var told []News
				w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
				o := w.lunches(t, c.change)
				if c.before != nil {
					c.before(t, w)
				}
				taken := w.left(t)
				_, got := w.turn(t, o, c.now)
				if got != c.want || w.left(t) != taken {
					t.Errorf("%q, want %q; %d left of %d", got, c.want, w.left(t), taken)
				}
				if (len(told) == 1) != c.told || c.told && (told[0].Kind != NewsStandingNot || told[0].Why != c.want || told[0].Order.Eater != "wang" || told[0].Order.Standing != o.ID) {
					t.Errorf("told %+v", told)
				}
				if _, again := w.turn(t, o, c.now); again != "" {
					t.Errorf("once more: %q", again)
				}
			})
		})
	}
}

// TestStandingRefused: who has too little money is told, and can have it ordered
// again.
func TestStandingRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		var told []News
		w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
		o := w.lunches(t, nil)
		order, _ := w.turn(t, o, sunday)
		for range 2 {
			must[Order](t)(w.Answered(t.Context(), order.ID, 1, false, moment(t, sunday)))
		}
		if len(told) != 1 || told[0].Why != outcomeRefused || told[0].Order.Standing != o.ID || w.left(t) != 5 {
			t.Fatalf("told %+v, %d left", told, w.left(t))
		}
		days := must[[]Ahead](t)(w.Ahead(t.Context(), o, moment(t, sunday), shanghai))
		if d := days[0]; d.State != AheadNotOrdered || d.Outcome != outcomeRefused || !d.CanWant || d.CanSkip {
			t.Errorf("%+v", d)
		}
		a := Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: o.ID, Now: moment(t, sunday), Location: shanghai}
		must[Standing](t)(w.WantAgain(t.Context(), a, []civil.Date{lunch(t).Day}))
		if _, outcome := w.turn(t, o, sunday); outcome != OutcomeOrdered {
			t.Errorf("wanted again: %q", outcome)
		}
	})
}

// TestSkip: skipped days are not ordered, and what was ordered is cancelled
// until the cut-off.
func TestSkip(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		o := w.lunches(t, nil)
		monday := lunch(t).Day
		a := Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: o.ID, Now: moment(t, sunday), Location: shanghai}
		order, _ := w.turn(t, o, sunday)
		week := []civil.Date{monday.AddDays(-1), monday, monday.AddDays(1), monday.AddDays(5)}
		_, _, err := w.SkipDays(t.Context(), a, week)
		wantRule(t, err, RuleBusy) // the purse is still asked
		must[Order](t)(w.Answered(t.Context(), order.ID, 1, true, moment(t, sunday)))
		stranger := a
		stranger.Persons = []string{"chen"}
		if _, _, err := w.SkipDays(t.Context(), stranger, week); !errors.Is(err, ErrNotFound) {
			t.Errorf("a stranger: %v", err)
		}
		for i := range 2 {
			o, done, err := w.SkipDays(t.Context(), a, week)
			if err != nil {
				t.Fatal(err)
			}
			// Weekends are not its days.
			if !slices.Equal(o.Skips, week[1:3]) || len(done.TooLate) != 0 || len(done.Cancelled) != 1-i {
				t.Errorf("skips %v, %+v", o.Skips, done)
			}
		}
		order = must[Order](t)(w.Order(t.Context(), a.Reach, order.ID))
		if order.State != StateCancelled || order.Money != MoneyRelease || w.left(t) != 5 {
			t.Errorf("%+v", order)
		}
		if _, outcome := w.turn(t, o, sunday); outcome != "" {
			t.Errorf("a skipped day: %q", outcome)
		}
		must[Standing](t)(w.WantAgain(t.Context(), a, []civil.Date{monday}))
		if _, outcome := w.turn(t, o, sunday); outcome != OutcomeOrdered {
			t.Errorf("after all: %q", outcome)
		}
		a.Now = moment(t, "2026-11-23T09:00:00+08:00")
		if _, done, err := w.SkipDays(t.Context(), a, week); err != nil || !slices.Equal(done.TooLate, []civil.Date{monday}) || w.left(t) != 4 {
			t.Errorf("too late: %+v, %v", done, err)
		}
		// Paused and resumed, days whose cut-off has passed are not made up for.
		o = must[Standing](t)(w.PauseStanding(t.Context(), a))
		if o.State(monday) != StandingPaused {
			t.Errorf("%+v", o)
		}
		o = must[Standing](t)(w.ResumeStanding(t.Context(), a))
		if o.State(monday) != StandingActive || !o.Since.Equal(a.Now) {
			t.Errorf("%+v", o)
		}
		o = must[Standing](t)(w.EndStanding(t.Context(), a, EndedBySelf))
		if o.State(monday) != StandingEnded || o.Ending != EndedBySelf {
			t.Errorf("%+v", o)
		}
		for _, do := range []func() error{
			func() error { _, err := w.PauseStanding(t.Context(), a); return err },
			func() error { _, err := w.ResumeStanding(t.Context(), a); return err },
			func() error { _, _, err := w.SkipDays(t.Context(), a, week); return err },
			func() error { _, err := w.WantAgain(t.Context(), a, week[3:]); return err },
		} {
			wantRule(t, do(), RuleEnded)
		}
	})
}

// TestStandingTier: a meal costs what it does on its day: who turns 80 on Monday
// pays half from then on, though it is ordered on Sunday.
func TestStandingTier(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for born, pays := range map[string]int64{"1946-11-23": 1000, "1946-11-24": 2000} {
			o := w.lunches(t, func(o *StandingWanted) { o.Eater = born })
			want := w.turnWanted(t, o, sunday)
			want.Who.BornOn = date(t, born)
			order, _, err := w.TakeTurn(t.Context(), o, want)
			if err != nil || order.Next == nil || order.Next.Pays() != pays {
				t.Errorf("born on %s: %+v, %v", born, order, err)
			}
		}
	})
}

// TestStandingKey: what a phone repeats is made once, and nobody has too many.
func TestStandingKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		first := w.lunches(t, func(o *StandingWanted) { o.Key = "k" })
		if again := w.lunches(t, func(o *StandingWanted) { o.Key = "k" }); again.ID != first.ID {
			t.Errorf("made twice")
		}
		want := StandingWanted{Key: "k", Eater: "wang", OrderedBy: "wang", StandingTerms: first.StandingTerms, Now: moment(t, sunday)}
		want.Wish = "少盐"
		if _, err := w.AddStanding(t.Context(), want); !errors.Is(err, ErrKeyReused) {
			t.Errorf("another one under the key: %v", err)
		}
		want.Key = ""
		for range maxStanding - 1 {
			must[Standing](t)(w.AddStanding(t.Context(), want))
		}
		_, err := w.AddStanding(t.Context(), want)
		wantRule(t, err, RuleStandingMany)
	})
}

// TestForgetStanding: who is deleted is taken out of standing orders, which end;
// what was ordered stays known by its ID. Whose meals they saw to is told.
func TestForgetStanding(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		var told []News
		w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
		o := w.lunches(t, func(o *StandingWanted) { o.Wish, o.Payment, o.Payer = "饭软一点", PayCounter, "" })
		other := w.lunches(t, func(o *StandingWanted) { o.Eater, o.Payer = "mother", "wang" })
		order, _ := w.turn(t, o, sunday)
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: moment(t, sunday), Location: shanghai}
		if _, _, err := w.SkipDays(t.Context(), a, []civil.Date{lunch(t).Day.AddDays(1)}); err != nil {
			t.Fatal(err)
		}
		told = nil
		for range 2 {
			if err := w.Forget(t.Context(), "wang", moment(t, sunday)); err != nil {
				t.Fatal(err)
			}
		}
		o = must[Standing](t)(w.Standing(t.Context(), a.Reach, o.ID))
		days := must[map[civil.Date]StandingDay](t)(w.StandingDays(t.Context(), o.ID, lunch(t).Day))
		if o.Eater+o.OrderedBy+o.Payer+o.Wish != "" || len(o.Skips)+len(o.Dishes.Kinds) != 0 || o.Ending != EndedForgotten || days[lunch(t).Day].Order != order.ID {
			t.Errorf("%+v, %+v", o, days)
		}
		other = must[Standing](t)(w.Standing(t.Context(), a.Reach, other.ID))
		if other.Eater != "mother" || other.OrderedBy+other.Payer != "" || other.EndedAt.IsZero() {
			t.Errorf("%+v", other)
		}
		told = slices.DeleteFunc(told, func(n News) bool { return n.Kind != NewsStandingEnded })
		if len(told) != 1 || told[0].Order.Eater != "mother" {
			t.Errorf("told %+v", told)
		}
		// Long after, nothing is left of them.
		if _, err := w.Erase(t.Context(), moment(t, sunday).Add(orderRetention+48*time.Hour), shanghai); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uuid.UUID{o.ID, other.ID} {
			if _, err := w.Standing(t.Context(), a.Reach, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("after its retention: %v", err)
			}
		}
	})
}
