package canteen

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// wantBroken checks that a rule is broken; none if it is empty.
func wantBroken(t *testing.T, refusal *Refusal, rule Rule) {
	t.Helper()
	if rule == "" && refusal != nil {
		t.Errorf("refused by %s: %v", refusal.Rule, refusal)
	}
	if rule != "" && (refusal == nil || refusal.Rule != rule) {
		t.Errorf("got %v, want a refusal by %s", refusal, rule)
	}
}

// TestUsable: what may go into a meal, to the day.
func TestUsable(t *testing.T) {
	meal := date(t, "2026-11-23")
	for name, test := range map[string]struct {
		change func(b *Batch)
		rule   Rule
	}{
		"bought on the day":           {func(b *Batch) { b.BoughtOn = meal }, ""},
		"bought the day after":        {func(b *Batch) { b.BoughtOn = meal.AddDays(1) }, RuleBatchLater},
		"on its last day":             {func(b *Batch) { b.ExpiresOn = meal }, ""},
		"the day after its last":      {func(b *Batch) { b.ExpiresOn = meal.AddDays(-1) }, RuleBatchExpired},
		"used up after the meal":      {func(b *Batch) { b.End, b.EndedAt = BatchUsedUp, moment(t, "2026-11-23T00:00:00+08:00") }, ""},
		"used up the evening before":  {func(b *Batch) { b.End, b.EndedAt = BatchUsedUp, moment(t, "2026-11-22T23:59:59+08:00") }, RuleBatchEnded},
		"thrown away the week before": {func(b *Batch) { b.End, b.EndedAt = BatchDiscarded, moment(t, "2026-11-16T12:00:00+08:00") }, RuleBatchEnded},
	} {
		t.Run(name, func(t *testing.T) {
			b := Batch{Ingredient: "猪肉", BoughtOn: date(t, "2026-11-10"), ExpiresOn: date(t, "2026-11-30")}
			test.change(&b)
			wantBroken(t, usable(b, meal, "batch", shanghai), test.rule)
		})
	}
}

// TestUsesDay: from the day before a meal until a week after it.
func TestUsesDay(t *testing.T) {
	meal := date(t, "2026-11-23")
	for today, rule := range map[string]Rule{"2026-11-21": RuleUsesClosed, "2026-11-22": "", "2026-11-30": "", "2026-12-01": RuleUsesClosed} {
		t.Run(today, func(t *testing.T) { wantBroken(t, checkUsesDay(meal, date(t, today)), rule) })
	}
}

// TestSampleRules: how much is kept, where, and when it is taken, to the gram
// and the second.
func TestSampleRules(t *testing.T) {
	now := moment(t, "2026-11-24T10:00:00+08:00")
	for name, test := range map[string]struct {
		change func(s *Sample)
		rule   Rule
	}{
		"125 grams":                   {func(s *Sample) { s.Grams = 125 }, ""},
		"124 grams":                   {func(s *Sample) { s.Grams = 124 }, RuleSampleSmall},
		"five kilograms":              {func(s *Sample) { s.Grams = 5000 }, ""},
		"kilograms by a slip":         {func(s *Sample) { s.Grams = 12500 }, RuleSampleLarge},
		"nowhere":                     {func(s *Sample) { s.Place = " " }, RuleSamplePlace},
		"a long place":                {func(s *Sample) { s.Place = strings.Repeat("柜", 40) }, ""},
		"too long a place":            {func(s *Sample) { s.Place = strings.Repeat("柜", 41) }, RuleSamplePlace},
		"the first second":            {func(s *Sample) { s.TakenAt = moment(t, "2026-11-23T00:00:00+08:00") }, ""},
		"the evening before":          {func(s *Sample) { s.TakenAt = moment(t, "2026-11-22T23:59:59+08:00") }, RuleSampleTime},
		"the last second":             {func(s *Sample) { s.TakenAt = moment(t, "2026-11-23T23:59:59+08:00") }, ""},
		"midnight":                    {func(s *Sample) { s.TakenAt = moment(t, "2026-11-24T00:00:00+08:00") }, RuleSampleTime},
		"of today, a second from now": {func(s *Sample) { s.Day, s.TakenAt = s.Day.AddDays(1), now.Add(time.Second) }, RuleSampleTime},
		"of today, now":               {func(s *Sample) { s.Day, s.TakenAt = s.Day.AddDays(1), now }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := Sample{Sitting: lunch(t), Grams: 150, Place: "留样冰箱", TakenAt: moment(t, atNoon)}
			test.change(&s)
			wantBroken(t, checkSample(s, now, shanghai), test.rule)
		})
	}
}

// TestCheckRules: a point of the list, once, in order or not, and if not, why.
func TestCheckRules(t *testing.T) {
	today := date(t, "2026-11-23")
	for name, test := range map[string]struct {
		checks []Finding
		rule   Rule
	}{
		"in order":            {[]Finding{{Point: "fridges", State: CheckOK}, {Point: "hands", State: CheckOK}}, ""},
		"not in order":        {[]Finding{{Point: "fridges", State: CheckNotOK, Remark: strings.Repeat("热", 200)}}, ""},
		"and nobody says why": {[]Finding{{Point: "fridges", State: CheckNotOK}}, RuleCheckRemark},
		"a long story":        {[]Finding{{Point: "fridges", State: CheckNotOK, Remark: strings.Repeat("热", 201)}}, RuleCheckRemark},
		"neither nor":         {[]Finding{{Point: "fridges", State: "Maybe"}}, RuleCheckPoint},
		"nothing said":        {[]Finding{{Point: "fridges"}}, RuleCheckPoint},
		"a point twice":       {[]Finding{{Point: "fridges", State: CheckOK}, {Point: "fridges", State: CheckNotOK, Remark: "12℃"}}, RuleCheckPoint},
		"a point of nobody's": {[]Finding{{Point: "weather", State: CheckOK}}, RuleCheckPoint},
	} {
		t.Run(name, func(t *testing.T) { wantBroken(t, checkChecks(today, today, test.checks), test.rule) })
	}
}

// TestEndBatch: who has thrown something away, when, and why in a few words.
func TestEndBatch(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		b := w.batch(t, "豆腐", w.supplier(t, "湖畔农场"), "2026-11-22")
		wantField(t, w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchDiscarded, strings.Repeat("酸", 201)), RuleReason, "reason")
		wantField(t, w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchUsedUp, strings.Repeat("酸", 201)), RuleReason, "reason")
		if err := w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchDiscarded, strings.Repeat("酸", 200)); err != nil {
			t.Fatal(err)
		}
		if b = must[Batch](t)(w.Batch(ctx, b.ID)); b.EndedBy != "cook" || !b.EndedAt.Equal(moment(t, atNoon)) || b.End != BatchDiscarded {
			t.Errorf("who has thrown it away, and when: %+v", b)
		}
		// Taken back, nothing is left of it.
		if err := w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchOpen, ""); err != nil {
			t.Fatal(err)
		}
		if b = must[Batch](t)(w.Batch(ctx, b.ID)); b.EndedBy != "" || !b.EndedAt.IsZero() || b.Reason != "" || b.End != BatchOpen {
			t.Errorf("still there: %+v", b)
		}
		if err := w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchOpen, ""); !errors.Is(err, ErrStale) {
			t.Errorf("taken back twice: %v", err)
		}
	})
}

// TestSampleOfDraft: of what is not on a published menu nothing is kept.
func TestSampleOfDraft(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		supper := Sitting{"lakeside", lunch(t).Day, "supper"}
		must[Menu](t)(w.PutMenu(t.Context(), w.cook(t, sunday), Plan{Sitting: supper, Items: []PlanItem{{Dish: w.pork.ID, Price: 1800, Stock: 5}}}))
		_, err := w.TakeSamples(t.Context(), w.cook(t, atNoon), []Sample{{Sitting: supper, Dish: w.pork.ID, Grams: 125, Place: "冰箱", TakenAt: moment(t, atNoon)}}, shanghai)
		wantField(t, err, RuleUnknownDish, "samples[0].dish")
	})
}

// TestSamplesTogether: all of a form, or none of it; and who took them.
func TestSamplesTogether(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		sample := func(dish uuid.UUID, grams int) Sample {
			return Sample{Sitting: lunch(t), Dish: dish, Grams: grams, Place: "冰箱", TakenAt: moment(t, atNoon)}
		}
		_, err := w.TakeSamples(t.Context(), w.cook(t, atNoon), []Sample{sample(w.pork.ID, 125), sample(w.rice.ID, 124)}, shanghai)
		wantField(t, err, RuleSampleSmall, "samples[1].grams")
		if kept := must[[]Sample](t)(w.KeptSamples(t.Context())); len(kept) != 0 {
			t.Errorf("kept of a form that was refused: %+v", kept)
		}
		must[[]Sample](t)(w.TakeSamples(t.Context(), w.cook(t, atNoon), []Sample{sample(w.pork.ID, 125), sample(w.rice.ID, 125)}, shanghai))
		kept := must[[]Sample](t)(w.KeptSamples(t.Context()))
		if len(kept) != 2 || kept[0].TakenBy != "cook" || kept[1].TakenBy != "cook" {
			t.Errorf("kept: %+v", kept)
		}
	})
}

// TestUsesRecorded: the audit has which batches were added to which dish, and
// which were taken away.
func TestUsesRecorded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		farm := w.supplier(t, "湖畔农场")
		meat, salt := w.batch(t, "猪肉", farm, "2026-11-25"), w.batch(t, "盐", farm, "")
		for _, batches := range [][]uuid.UUID{{meat.ID}, {salt.ID}} {
			if err := w.putUses(t, atNoon, DishBatches{w.pork.ID, batches}); err != nil {
				t.Fatal(err)
			}
		}
		added, removed := w.pork.ID.String()+"/"+salt.ID.String(), w.pork.ID.String()+"/"+meat.ID.String()
		r := must[[]audit.Record](t)(audit.Between(t.Context(), w.db, time.Time{}, moment(t, atNoon).Add(time.Hour), 100))[0]
		if r.Action != "canteen.uses" || r.Object != lunch(t).String() || r.Detail["added"] != added || r.Detail["removed"] != removed {
			t.Errorf("recorded: %+v", r)
		}
	})
}

// TestComplaintIsRecorded: a manager who looks for somebody by name, or opens
// the order, leaves a record with them; who sees no names leaves none.
func TestComplaintIsRecorded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, day := t.Context(), lunch(t).Day
		o := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		cancelled := w.mustPlace(t, w.wanted(t, "li", PayCounter, 1, 0))
		must[Order](t)(w.Cancel(ctx, Act{Reach: Reach{Actor: "li", Persons: []string{"li"}}, ID: cancelled.ID, Now: moment(t, sunday), Location: shanghai}))
		if err := w.Advance(ctx, moment(t, "2026-11-23T16:30:00+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		evening := moment(t, "2026-11-23T19:00:00+08:00")
		recorded := func(who string) (entries string) {
			for _, r := range must[[]audit.Record](t)(audit.Between(ctx, w.db, evening, evening.Add(time.Second), 100)) {
				if r.Actor == who {
					entries += r.Action + " " + r.Person + ";"
				}
			}
			return entries
		}
		for who, want := range map[string]string{"seeker": "canteen.trace-listed wang;canteen.trace-view ;", "opener": "canteen.trace-listed wang;canteen.trace-view ;", "cook": ""} {
			by := By{Actor: who, Now: evening}
			switch who {
			case "seeker":
				// It was missed, and may have been eaten all the same.
				if found := must[[]Order](t)(w.Complaints(ctx, by, day, "王桂", true, shanghai)); len(found) != 1 || found[0].ID != o.ID || found[0].State != StateMissed {
					t.Errorf("found: %+v", found)
				}
			case "opener":
				must[Order](t)(w.Complaint(ctx, by, o.ID, true, shanghai))
			default:
				must[Order](t)(w.Complaint(ctx, by, o.ID, false, shanghai))
				for at, want := range map[civil.Date]int{day: 1, day.AddDays(1): 0, day.AddDays(-1): 0} {
					if found := must[[]Order](t)(w.Complaints(ctx, by, at, o.Code, false, shanghai)); len(found) != want {
						t.Errorf("of %s: %+v", at, found)
					}
				}
			}
			if got := recorded(who); got != want {
				t.Errorf("%s: recorded %q, want %q", who, got, want)
			}
		}
	})
}

// TestUnsampled: a dish that is on two menus is kept of each of them, and each
// canteen is reminded of its own.
func TestUnsampled(t *testing.T) {
	pork := Item{Dish: Dish{ID: uuid.New()}, Stock: 5, Taken: 1}
	day := date(t, "2026-11-23")
	menu := func(canteen, meal string) Menu {
		return Menu{Sitting: Sitting{canteen, day, meal}, Items: []Item{pork}}
	}
	other := lakeside()
	other.Name = "riverside"
	menus := []Menu{menu("lakeside", "lunch"), menu("lakeside", "supper"), menu("riverside", "lunch")}
	evening := moment(t, "2026-11-23T19:00:00+08:00")
	samples := []Sample{{Sitting: menus[0].Sitting, Dish: pork.Dish.ID}}
	for i, place := range []v1alpha1.CanteenPlace{lakeside(), other} {
		want := []Cooked{{menus[1+i].Sitting, pork.Dish.ID}}
		if got := unsampled(Canteen{CanteenPlace: place}, menus, samples, evening, shanghai); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", place.Name, got, want)
		}
	}
}

// TestCooks: on which days a canteen is to be checked.
func TestCooks(t *testing.T) {
	place := lakeside()
	for i := range place.Meals {
		place.Meals[i].Days = []v1alpha1.Weekday{"Monday"}
	}
	c := Canteen{CanteenPlace: place}
	sunday := date(t, "2026-11-22")
	published := moment(t, "2026-11-20T12:00:00+08:00")
	on := func(canteen string, at time.Time) []Menu {
		return []Menu{{Sitting: Sitting{canteen, sunday, "lunch"}, PublishedAt: at}}
	}
	if !cooks(c, nil, sunday.AddDays(1)) {
		t.Error("not on Monday, as its week has it")
	}
	for name, menus := range map[string][]Menu{"nothing is planned": nil, "a draft": on("lakeside", time.Time{}), "another's menu": on("riverside", published)} {
		if cooks(c, menus, sunday) {
			t.Errorf("on Sunday, of which there is %s", name)
		}
	}
	if !cooks(c, on("lakeside", published), sunday) {
		t.Error("not on a Sunday with a menu")
	}
}
