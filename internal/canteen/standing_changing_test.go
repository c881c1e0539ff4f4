package canteen

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// TestChangeStanding: what a change may change, and who may have what purse pay.
func TestChangeStanding(t *testing.T) {
	place := lakeside()
	place.DeliveryEstates = []string{"near"}
	place.Meals[0].Ways = []v1alpha1.Way{v1alpha1.WayPickUp, v1alpha1.WayDelivery}
	c := must[Canteen](t)(ParseCanteen(place))
	now := moment(t, sunday)
	today := civil.DateOf(now, shanghai)
	begun := Standing{
		Eater: "wang", OrderedBy: "li", Version: 3, Since: now.Add(-time.Hour), PausedAt: now, Skips: []civil.Date{today},
		StandingTerms: StandingTerms{
			Canteen: "lakeside", Meal: "lunch", Weekdays: weekdays[:5], From: today.AddDays(-3), Way: v1alpha1.WayPickUp, Payment: PayPurse, Payer: "li",
			Dishes: DishWish{Kinds: []Kind{KindMeat}},
		},
	}
	ahead := begun
	ahead.From = today.AddDays(3)
	cash := begun
	cash.Payment, cash.Payer = PayCounter, ""
	for name, test := range map[string]struct {
		old    Standing
		change func(w *StandingChange)
		wrong  string
		by     string // who has ordered it afterwards, if that is not Li
	}{
		"everything": {begun, func(w *StandingChange) {
			w.Weekdays, w.Until, w.Way, w.Wish = weekdays[5:6], today, v1alpha1.WayPickUp, "少盐"
			w.Dishes = DishWish{Kinds: []Kind{KindSet}, Avoid: []Allergen{"Eggs"}, Require: []Tag{"Halal"}, Prefer: []Tag{"Soft"}}
			w.Payment, w.Payer = PayCounter, ""
		}, "", ""},
		"another meal":         {begun, func(w *StandingChange) { w.Meal = "supper" }, "meal", ""},
		"another canteen":      {begun, func(w *StandingChange) { w.Canteen = "hillside" }, "meal", ""},
		"what has begun":       {begun, func(w *StandingChange) { w.From = today.AddDays(1) }, "from", ""},
		"begun before":         {begun, func(w *StandingChange) { w.From = today.AddDays(-9) }, "from", ""},
		"what has not":         {ahead, func(w *StandingChange) { w.From = today }, "", ""},
		"beginning yesterday":  {ahead, func(w *StandingChange) { w.From = today.AddDays(-1) }, "from", ""},
		"beginning far away":   {ahead, func(w *StandingChange) { w.From = today.AddDays(maxAhead + 1) }, "from", ""},
		"over yesterday":       {begun, func(w *StandingChange) { w.Until = today.AddDays(-1) }, "until", ""},
		"over before it began": {ahead, func(w *StandingChange) { w.Until = today.AddDays(2) }, "until", ""},
		"no day":               {begun, func(w *StandingChange) { w.Weekdays = nil }, "weekdays", ""},
		"no dishes":            {begun, func(w *StandingChange) { w.Dishes.Kinds = nil }, "kinds", ""},
		"brought near":         {begun, func(w *StandingChange) { w.Way, w.Estate = v1alpha1.WayDelivery, "near" }, "", ""},
		"brought far":          {begun, func(w *StandingChange) { w.Way, w.Estate = v1alpha1.WayDelivery, "far" }, "way", ""},
		"a long wish":          {begun, func(w *StandingChange) { w.Wish = strings.Repeat("字", maxWish+1) }, "wish", ""},
		"her own purse":        {begun, func(w *StandingChange) { w.Payer, w.By = "wang", "wang" }, "", ""},
		"somebody's purse":     {begun, func(w *StandingChange) { w.Payer, w.By = "chen", "wang" }, "payer", ""},
		"no purse":             {begun, func(w *StandingChange) { w.Payer = "" }, "payer", ""},
		"cash from a purse":    {begun, func(w *StandingChange) { w.Payment = PayCounter }, "payer", ""},
		"no way to pay":        {begun, func(w *StandingChange) { w.Payment = "gold" }, "payer payment", ""},
		// Who pays for another is who orders for them, and must still be allowed to.
		"one's own purse":       {begun, func(w *StandingChange) { w.Payer, w.By = "chen", "chen" }, "", "chen"},
		"at the counter":        {cash, func(w *StandingChange) { w.Payment, w.Payer = PayPurse, "wang" }, "", ""},
		"not again by her son":  {cash, func(w *StandingChange) { w.Payment, w.Payer = PayPurse, "li" }, "payer", ""},
		"by her son, who would": {cash, func(w *StandingChange) { w.Payment, w.Payer, w.By = PayPurse, "li", "li" }, "", ""},
		"several":               {begun, func(w *StandingChange) { w.From, w.Weekdays, w.Way = today, nil, "Drone" }, "from weekdays way", ""},
	} {
		w := StandingChange{StandingTerms: test.old.StandingTerms, Version: 3}
		test.change(&w)
		got, wrong := ChangeStanding(test.old, c, w, now, shanghai)
		var fields []string
		for _, m := range wrong {
			fields = append(fields, m.Field)
		}
		if strings.Join(fields, " ") != test.wrong || test.wrong != "" && !strings.Contains(wrong.Error(), fields[0]+": ") {
			t.Errorf("%s: wrong are %q, want %q", name, wrong.Error(), test.wrong)
		}
		want := test.old
		if test.wrong == "" {
			want.StandingTerms, want.Version, want.Since = w.StandingTerms, 4, now
		}
		if test.by != "" {
			want.OrderedBy = test.by
		}
		one, other := must[string](t)(digestOf(got)), must[string](t)(digestOf(want))
		if one != other {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// changed is a standing order with other terms, as its eater changes it.
func (w world) changed(t testing.TB, o Standing, now string, change func(c *StandingChange)) (Standing, error) {
	t.Helper()
	want := StandingChange{StandingTerms: o.StandingTerms, Version: o.Version}
	change(&want)
	return w.ChangeStanding(t.Context(), Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: o.ID, Now: moment(t, now), Location: shanghai}, want)
}

// TestChangedStanding: what is ordered stays, what is not is ordered as it was
// asked for last, and who has seen something older changes nothing.
func TestChangedStanding(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		monday := lunch(t).Day
		first := w.lunches(t, nil)
		order, _ := w.turn(t, first, sunday)
		order = must[Order](t)(w.Answered(t.Context(), order.ID, 1, true, moment(t, sunday)))
		rice := func(c *StandingChange) {
			c.Dishes, c.Payment, c.Payer = DishWish{Kinds: []Kind{KindStaple}}, PayCounter, ""
		}
		o := must[Standing](t)(w.changed(t, first, sunday, rice))
		if o.Version != 2 || !o.Since.Equal(moment(t, sunday)) || o.Payment != PayCounter || !slices.Equal(o.Dishes.Kinds, []Kind{KindStaple}) {
			t.Fatalf("%+v", o)
		}
		reach := Reach{Persons: []string{"wang"}}
		kept := must[Order](t)(w.Order(t.Context(), reach, order.ID))
		if must[string](t)(digestOf(kept)) != must[string](t)(digestOf(order)) {
			t.Errorf("the order was changed too: %+v, was %+v", kept, order)
		}
		if _, outcome := w.turn(t, o, sunday); outcome != "" {
			t.Errorf("ordered again: %s", outcome)
		}
		// A phone repeats it; another was made of what was before.
		if again, err := w.changed(t, first, sunday, rice); err != nil || again.Version != 2 {
			t.Errorf("repeated: %+v, %v", again, err)
		}
		if _, err := w.changed(t, first, sunday, func(c *StandingChange) { c.Wish = "少盐" }); !errors.Is(err, ErrStale) {
			t.Errorf("changed meanwhile: %v", err)
		}
		// Somebody made ready to order what it was before.
		a := Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: order.ID, Now: moment(t, sunday), Location: shanghai}
		must[Order](t)(w.Cancel(t.Context(), a))
		a.ID = o.ID
		must[Standing](t)(w.WantAgain(t.Context(), a, []civil.Date{monday}))
		if _, outcome := w.turn(t, first, sunday); outcome != "" {
			t.Errorf("ordered as it was before: %s", outcome)
		}
		if order, outcome := w.turn(t, o, sunday); outcome != OutcomeOrdered || order.Payment != PayCounter || len(order.Lines) != 1 || order.Lines[0].Dish != w.rice.ID.String() {
			t.Errorf("%s, %+v", outcome, order)
		}
		// Its order stays where its day is taken out, and is no longer skipped from
		// here.
		o = must[Standing](t)(w.changed(t, o, sunday, func(c *StandingChange) { c.Weekdays = weekdays[1:2] }))
		days := must[[]Ahead](t)(w.Ahead(t.Context(), o, moment(t, sunday), shanghai))
		if d := days[0]; d.Day != monday || d.State != AheadOrdered || d.CanSkip || d.CanWant {
			t.Errorf("%+v", d)
		}
		if _, done, err := w.SkipDays(t.Context(), a, []civil.Date{monday}); err != nil || len(done.Cancelled) != 0 {
			t.Errorf("skipped: %+v, %v", done, err)
		}
		// What is wrong changes nothing, nor do strangers, nor after its end.
		_, err := w.changed(t, o, sunday, func(c *StandingChange) { c.Weekdays = nil })
		if wrong, ok := errors.AsType[StandingMistakes](err); !ok || len(wrong) != 1 || wrong[0].Field != "weekdays" {
			t.Errorf("no day: %v", err)
		}
		stranger := a
		stranger.Persons = []string{"chen"}
		if _, err := w.ChangeStanding(t.Context(), stranger, StandingChange{StandingTerms: o.StandingTerms, Version: o.Version}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a stranger: %v", err)
		}
		must[Standing](t)(w.EndStanding(t.Context(), a, EndedBySelf))
		_, err = w.changed(t, o, sunday, func(c *StandingChange) { c.Wish = "少盐" })
		wantRule(t, err, RuleEnded)
		if now := must[Standing](t)(w.Standing(t.Context(), reach, o.ID)); now.Version != 3 || now.Wish != "" {
			t.Errorf("%+v", now)
		}
	})
}

// TestChangedLate: a day whose cut-off has passed is not made up for because it
// was added then, and one that was missed is told of before.
func TestChangedLate(t *testing.T) {
	for name, test := range map[string]struct {
		days  []v1alpha1.Weekday // before
		at    string
		want  Turn
		noted Outcome
	}{
		"added before":            {weekdays[1:5], "2026-11-23T08:59:58+08:00", TurnPlace, ""},
		"added after the cut-off": {weekdays[1:5], "2026-11-23T09:00:00+08:00", TurnNone, ""},
		"missed before":           {weekdays[:5], "2026-11-23T09:00:00+08:00", TurnNone, OutcomeTooLate},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w world) {
				var told []News
				w.OnNews(func(_ context.Context, _ bun.Tx, n News) error { told = append(told, n); return nil })
				o := w.lunches(t, func(o *StandingWanted) { o.Weekdays = test.days })
				o = must[Standing](t)(w.changed(t, o, test.at, func(c *StandingChange) { c.Weekdays = weekdays }))
				c, m := must[Canteen](t)(w.Canteen(t.Context(), "lakeside")), must[[]Menu](t)(w.Menus(t.Context(), "lakeside", lunch(t).Day, lunch(t).Day, false))
				if got := TurnOf(o, c, m[0], moment(t, test.at).Add(time.Second), shanghai); got != test.want {
					t.Errorf("%q, want %q", got, test.want)
				}
				done := must[map[civil.Date]StandingDay](t)(w.StandingDays(t.Context(), o.ID, lunch(t).Day))
				if got := done[lunch(t).Day].Outcome; got != test.noted || (len(told) == 1) != (test.noted != "") {
					t.Errorf("noted %q, told %+v", got, told)
				}
			})
		})
	}
}

// TestChangedAtTheCounter: that staff change somebody's is recorded, once, with
// who did.
func TestChangedAtTheCounter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		o := w.lunches(t, nil)
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: moment(t, sunday), Location: shanghai}
		want := StandingChange{StandingTerms: o.StandingTerms, Version: 1}
		want.Wish = "少盐"
		for range 2 {
			must[Standing](t)(w.ChangeStanding(t.Context(), a, want))
		}
		want.Payer, want.Version = "cook", 2
		if _, err := w.ChangeStanding(t.Context(), a, want); err == nil {
			t.Error("the cook's purse pays")
		}
		records := must[[]audit.Record](t)(audit.Between(t.Context(), w.db, time.Time{}, moment(t, sunday).Add(time.Hour), 1000))
		records = slices.DeleteFunc(records, func(r audit.Record) bool { return r.Action != Name+".standing-change" })
		if len(records) != 1 || records[0].Actor != "cook" || records[0].Person != "wang" || records[0].Object != o.ID.String() {
			t.Errorf("%+v", records)
		}
	})
}
