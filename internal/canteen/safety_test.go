package canteen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// atNoon is Monday, when lunch is served.
const atNoon = "2026-11-23T12:00:00+08:00"

func (w world) cook(t testing.TB, at string) By { return By{Actor: "cook", Now: moment(t, at)} }

func (w world) supplier(t testing.TB, name string) Supplier {
	t.Helper()
	return must[Supplier](t)(w.PutSupplier(t.Context(), w.cook(t, sunday), Supplier{ID: uuid.New(), Name: name, Licence: "JY13708270000001"}))
}

func (w world) batch(t testing.TB, ingredient string, of Supplier, expires string) Batch {
	t.Helper()
	b := Batch{ID: uuid.New(), Ingredient: ingredient, Supplier: of.ID, Lot: "A7", Quantity: "20千克", BoughtOn: date(t, "2026-11-20")}
	if expires != "" {
		b.ExpiresOn = date(t, expires)
	}
	if wrong := CheckBatch(b, date(t, "2026-11-22")); wrong != nil {
		t.Fatal(wrong)
	}
	return must[Batch](t)(w.PutBatch(t.Context(), w.cook(t, sunday), b))
}

func (w world) putUses(t testing.TB, at string, uses ...DishBatches) error {
	t.Helper()
	return w.PutUses(t.Context(), w.cook(t, at), lunch(t), uses, shanghai)
}

func wantField(t testing.TB, err error, rule Rule, field string) {
	t.Helper()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Rule != rule || refusal.Field != field {
		t.Errorf("got %#v, want a refusal by %s of the field %s", err, rule, field)
	}
}

// TestBatchIntoDish: what is expired, was bought later, was thrown away before or
// is not known does not go into a dish; and only what is on the menu is cooked.
func TestBatchIntoDish(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		farm := w.supplier(t, "湖畔农场")
		good, last := w.batch(t, "猪肉", farm, "2026-11-25"), w.batch(t, "猪肉", farm, "2026-11-23")
		old, salt := w.batch(t, "豆腐", farm, "2026-11-22"), w.batch(t, "盐", farm, "")
		gone := w.batch(t, "青菜", farm, "2026-11-30")
		if err := w.EndBatch(t.Context(), w.cook(t, sunday), gone.ID, BatchDiscarded, "发黄"); err != nil {
			t.Fatal(err)
		}
		if err := w.putUses(t, atNoon, DishBatches{w.pork.ID, []uuid.UUID{good.ID, last.ID, salt.ID, salt.ID}}); err != nil {
			t.Fatal(err)
		}
		for field, c := range map[string]struct {
			rule Rule
			dish DishBatches
		}{
			"dishes[0].batches[1]": {RuleBatchExpired, DishBatches{w.pork.ID, []uuid.UUID{good.ID, old.ID}}},
			"dishes[0].batches[0]": {RuleBatchEnded, DishBatches{w.pork.ID, []uuid.UUID{gone.ID}}},
			"dishes[0].batches[2]": {RuleBatchUnknown, DishBatches{w.pork.ID, []uuid.UUID{good.ID, salt.ID, uuid.New()}}},
			"dishes[0].dish":       {RuleUnknownDish, DishBatches{uuid.New(), []uuid.UUID{good.ID}}},
		} {
			wantField(t, w.putUses(t, atNoon, c.dish), c.rule, field)
		}
		wantRule(t, w.putUses(t, "2026-12-01T00:00:00+08:00"), RuleUsesClosed)
		wantRule(t, w.putUses(t, "2026-11-21T23:59:59+08:00"), RuleUsesClosed)
		if uses := must[[]Use](t)(w.UsesOf(t.Context(), lunch(t))); len(uses) != 3 {
			t.Errorf("after what was refused: %+v", uses)
		}
		// What was written stays possible to write when the batch is used up since.
		if err := w.EndBatch(t.Context(), w.cook(t, sunday), good.ID, BatchUsedUp, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.putUses(t, atNoon, DishBatches{w.pork.ID, []uuid.UUID{good.ID}}, DishBatches{w.rice.ID, []uuid.UUID{salt.ID}}); err != nil {
			t.Fatal(err)
		}
		wantField(t, w.putUses(t, atNoon, DishBatches{w.rice.ID, []uuid.UUID{good.ID}}), RuleBatchEnded, "dishes[0].batches[0]")

		// The next time it is a suggestion.
		next := lunch(t)
		next.Day = next.Day.AddDays(1)
		suggested := must[map[uuid.UUID][]uuid.UUID](t)(w.LastUses(t.Context(), next, []uuid.UUID{w.pork.ID, w.rice.ID}))
		if !slices.Equal(suggested[w.pork.ID], []uuid.UUID{good.ID}) || !slices.Equal(suggested[w.rice.ID], []uuid.UUID{salt.ID}) {
			t.Errorf("suggested: %v", suggested)
		}
	})
}

func TestBatches(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		farm := w.supplier(t, "湖畔农场")
		late, soon, salt := w.batch(t, "猪肉", farm, "2026-12-01"), w.batch(t, "猪肝", farm, "2026-11-24"), w.batch(t, "盐", farm, "")
		names := func(q BatchQuery) (names string) {
			for _, b := range must[[]Batch](t)(w.Batches(ctx, q)) {
				names += b.Ingredient
			}
			return names
		}
		if got := names(BatchQuery{Open: true}); got != "猪肝猪肉盐" {
			t.Errorf("open: %s", got)
		}
		wantField(t, w.EndBatch(ctx, w.cook(t, sunday), soon.ID, BatchDiscarded, " "), RuleReason, "reason")
		if err := w.EndBatch(ctx, w.cook(t, sunday), soon.ID, BatchDiscarded, "变色"); err != nil {
			t.Fatal(err)
		}
		if err := w.EndBatch(ctx, w.cook(t, sunday), soon.ID, BatchUsedUp, ""); !errors.Is(err, ErrStale) {
			t.Errorf("ended twice: %v", err)
		}
		for want, q := range map[string]BatchQuery{"猪肉盐": {Open: true}, "猪肉盐猪肝": {}, "": {Text: "农场%"}, "猪肉": {Text: "肉", Supplier: farm.ID}} {
			if got := names(q); got != want {
				t.Errorf("%+v: %s, want %s", q, got, want)
			}
		}
		if both := must[[]Batch](t)(w.Batches(ctx, BatchQuery{Text: "a7", Limit: 2})); len(both) != 2 {
			t.Errorf("by lot: %+v", both)
		}
		if err := w.EndBatch(ctx, w.cook(t, sunday), soon.ID, BatchOpen, ""); err != nil {
			t.Fatal(err)
		}
		// A change says what the dates were; who saw an older version is told.
		late.ExpiresOn = date(t, "2026-12-09")
		if _, err := w.PutBatch(ctx, w.cook(t, atNoon), late); err != nil {
			t.Fatal(err)
		}
		if _, err := w.PutBatch(ctx, w.cook(t, atNoon), late); !errors.Is(err, ErrStale) {
			t.Errorf("changed meanwhile: %v", err)
		}
		records := must[[]audit.Record](t)(audit.Between(ctx, w.db, time.Time{}, moment(t, atNoon).Add(time.Hour), 100))
		if r := records[0]; r.Action != "canteen.batch-change" || r.Detail["expiresOn"] != "2026-12-01 → 2026-12-09" || r.Detail["fields"] != "expiresOn" {
			t.Errorf("%+v", r)
		}
		if err := w.RetireSupplier(ctx, w.cook(t, atNoon), farm.ID, true); err != nil {
			t.Fatal(err)
		}
		_, err := w.PutBatch(ctx, w.cook(t, atNoon), Batch{ID: uuid.New(), Ingredient: "葱", Supplier: farm.ID, Quantity: "1", BoughtOn: salt.BoughtOn})
		wantField(t, err, RuleSupplier, "supplier")
		if _, err := w.BatchPhoto(ctx, salt.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a photo that there is not: %v", err)
		}
		for range 2 {
			if err := w.PutBatchPhoto(ctx, w.cook(t, atNoon), salt.ID, []byte("picture")); err != nil {
				t.Fatal(err)
			}
		}
		if b := must[Batch](t)(w.Batch(ctx, salt.ID)); b.Photo == uuid.Nil || b.AcceptedBy != "cook" {
			t.Errorf("%+v", b)
		}
	})
}

func TestCheckBatch(t *testing.T) {
	ok := Batch{Ingredient: "猪肉", Quantity: "1", Supplier: uuid.New(), BoughtOn: date(t, "2026-11-22"), ExpiresOn: date(t, "2026-11-22")}
	for want, change := range map[string]func(*Batch){
		"":           func(*Batch) {},
		"ingredient": func(b *Batch) { b.Ingredient = " " },
		"quantity":   func(b *Batch) { b.Quantity = "" },
		"lot":        func(b *Batch) { b.Lot = strings.Repeat("1", 41) },
		"supplier":   func(b *Batch) { b.Supplier = uuid.Nil },
		"boughtOn":   func(b *Batch) { b.BoughtOn = date(t, "2026-11-23") },
		"expiresOn":  func(b *Batch) { b.ExpiresOn = date(t, "2026-11-21") },
	} {
		b := ok
		change(&b)
		got := ""
		for _, m := range CheckBatch(b, date(t, "2026-11-22")) {
			got += m.Field
		}
		if got != want {
			t.Errorf("%q is wrong, want %q", got, want)
		}
	}
}

// TestSamples: 125 grams and 48 hours, to the gram and the second.
func TestSamples(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		sample := func(grams int, takenAt string) Sample {
			return Sample{Sitting: lunch(t), Dish: w.pork.ID, Grams: grams, Place: "留样冰箱", TakenAt: moment(t, takenAt)}
		}
		take := func(now string, s Sample) (Sample, error) {
			taken, err := w.TakeSamples(ctx, w.cook(t, now), []Sample{s}, shanghai)
			return taken[0], err
		}
		_, err := take(atNoon, sample(124, atNoon))
		wantField(t, err, RuleSampleSmall, "samples[0].grams")
		_, err = take(atNoon, sample(125, "2026-11-23T12:00:01+08:00"))
		wantField(t, err, RuleSampleTime, "samples[0].takenAt")
		_, err = take("2026-11-24T09:00:00+08:00", sample(125, "2026-11-24T09:00:00+08:00"))
		wantField(t, err, RuleSampleTime, "samples[0].takenAt")
		other := sample(125, atNoon)
		other.Dish = uuid.New()
		_, err = take(atNoon, other)
		wantField(t, err, RuleUnknownDish, "samples[0].dish")
		other = sample(125, atNoon)
		other.Place = " "
		_, err = take(atNoon, other)
		wantField(t, err, RuleSamplePlace, "samples[0].place")

		s := must[Sample](t)(take(atNoon, sample(125, "2026-11-23T11:00:00+08:00")))
		if again := must[Sample](t)(take(atNoon, sample(150, atNoon))); again.ID != s.ID || again.Grams != 150 {
			t.Errorf("corrected: %+v", again)
		}
		_, err = take("2026-11-24T00:00:00+08:00", sample(160, atNoon))
		wantRule(t, err, RuleSampleTaken)
		_, err = w.DiscardSample(ctx, w.cook(t, "2026-11-25T11:59:00+08:00"), s.ID) // after 47:59
		wantRule(t, err, RuleSampleEarly)
		s = must[Sample](t)(w.DiscardSample(ctx, w.cook(t, "2026-11-25T12:00:00+08:00"), s.ID))
		if s.DiscardedBy != "cook" || s.Grams != 150 {
			t.Errorf("%+v", s)
		}
		if _, err := w.DiscardSample(ctx, w.cook(t, "2026-11-25T12:00:00+08:00"), s.ID); !errors.Is(err, ErrStale) {
			t.Errorf("discarded twice: %v", err)
		}
		if kept := must[[]Sample](t)(w.KeptSamples(ctx)); len(kept) != 0 {
			t.Errorf("%+v", kept)
		}
		// The database says so too, whoever writes to it.
		for _, set := range []string{"grams = 124", "discarded_at = taken_at + 172799"} {
			err := w.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewUpdate().Model((*sampleRow)(nil)).Set(set).Where("id = ?", s.ID).Exec(ctx)
				return err
			})
			if err == nil {
				t.Errorf("%s was kept", set)
			}
		}
	})
}

func TestChecks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, day := t.Context(), date(t, "2026-11-23")
		put := func(at string, checks ...Finding) error {
			return w.PutChecks(ctx, w.cook(t, at), "lakeside", day, checks, shanghai)
		}
		wantField(t, put(atNoon, Finding{Point: "fridges", State: CheckNotOK, Remark: " "}), RuleCheckRemark, "checks.fridges")
		wantField(t, put(atNoon, Finding{Point: "weather", State: CheckOK}), RuleCheckPoint, "checks.weather")
		for _, at := range []string{"2026-11-22T23:59:59+08:00", "2026-11-24T00:00:00+08:00"} {
			wantField(t, put(at, Finding{Point: "fridges", State: CheckOK}), RuleCheckDay, "date")
		}
		if err := put(atNoon, Finding{Point: "fridges", State: CheckOK}, Finding{Point: "hands", State: CheckOK}); err != nil {
			t.Fatal(err)
		}
		wrong := Finding{Point: "fridges", State: CheckNotOK, Remark: "12℃，已报修"}
		if err := put("2026-11-23T14:00:00+08:00", wrong, Finding{Point: "hands", State: CheckOK}); err != nil {
			t.Fatal(err)
		}
		found := must[map[civil.Date]map[string]Finding](t)(w.Checks(ctx, "lakeside", day, day))[day]
		if f := found["fridges"]; len(found) != 2 || f.State != CheckNotOK || f.Remark != wrong.Remark || !found["hands"].At.Equal(moment(t, atNoon)) {
			t.Errorf("%+v", found)
		}
		records := must[[]audit.Record](t)(audit.Between(ctx, w.db, time.Time{}, moment(t, "2026-11-23T15:00:00+08:00"), 100))
		if r := records[0]; r.Action != "canteen.checks" || fmt.Sprint(r.Detail) != "map[fridges:OK → NotOK]" {
			t.Errorf("the correction is recorded as %+v", r)
		}
	})
}

// TestTrace goes from a batch to those who ate of it, and back from an order to
// the supplier and to what else the batch went into.
func TestTrace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		farm, mill := w.supplier(t, "湖畔农场"), w.supplier(t, "鱼台米业")
		meat, grain := w.batch(t, "猪肉", farm, "2026-11-25"), w.batch(t, "大米", mill, "2027-05-01")
		if err := w.putUses(t, sunday, DishBatches{w.pork.ID, []uuid.UUID{meat.ID}}, DishBatches{w.rice.ID, []uuid.UUID{grain.ID}}); err != nil {
			t.Fatal(err)
		}
		ate := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 1))
		waiting := w.wanted(t, "zhao", PayPurse, 1, 0)
		w.mustPlace(t, waiting) // the purse is still asked
		refused := w.mustPlace(t, w.wanted(t, "li", PayPurse, 1, 0))
		must[Order](t)(w.Answered(ctx, refused.ID, 1, false, moment(t, sunday)))
		cancelled := w.mustPlace(t, w.wanted(t, "sun", PayCounter, 1, 0))
		must[Order](t)(w.Cancel(ctx, Act{Reach: Reach{Actor: "sun", Persons: []string{"sun"}}, ID: cancelled.ID, Now: moment(t, sunday), Location: shanghai}))
		w.mustPlace(t, w.wanted(t, "qian", PayCounter, 0, 2)) // rice only
		guest := w.wanted(t, must[string](t)(newGuest()), PayCounter, 2, 0)
		guest.Staff, guest.Name, guest.OrderedBy, guest.Payer = true, "老周", "cook", ""
		w.mustPlace(t, guest)
		must[Order](t)(w.Serve(ctx, Act{Reach: Reach{Actor: "cook", Staff: true}, ID: ate.ID, Now: moment(t, atNoon), Location: shanghai}))

		cooked := cookedOf(must[[]Use](t)(w.UsesOfBatches(ctx, meat.ID)))
		if len(cooked) != 1 || cooked[0] != (Cooked{lunch(t), w.pork.ID}) {
			t.Fatalf("cooked of the meat: %+v", cooked)
		}
		eaten := must[[]Eaten](t)(w.Eaters(ctx, w.cook(t, atNoon), meat.ID.String(), cooked, false, shanghai))
		var who []string
		for _, e := range eaten {
			if len(e.Of) != 1 || e.Of[0].Dish != w.pork.ID.String() {
				t.Errorf("%+v", e)
			}
			if isGuest(e.Eater) {
				e.Eater = "guest " + e.Name
			}
			who = append(who, e.Eater)
		}
		slices.Sort(who)
		if !slices.Equal(who, []string{"guest 老周", "wang"}) {
			t.Errorf("who ate of it: %q", who)
		}
		if r := must[map[Cooked]Reached](t)(w.Reached(ctx, cooked)); r[cooked[0]] != (Reached{2, 3}) {
			t.Errorf("reached: %+v", r)
		}
		// Nobody ticked the guest off, who may have eaten all the same.
		if err := w.Advance(ctx, moment(t, "2026-11-23T16:30:00+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		if r := must[map[Cooked]Reached](t)(w.Reached(ctx, cooked)); r[cooked[0]] != (Reached{2, 3}) {
			t.Errorf("reached when the meal is over: %+v", r)
		}
		looks := func(action, person string) (n int) {
			for _, r := range must[[]audit.Record](t)(audit.Between(ctx, w.db, time.Time{}, moment(t, atNoon).Add(time.Hour), 1000)) {
				if r.Action == action && r.Person == person {
					n++
				}
			}
			return n
		}
		for range 2 {
			must[[]Eaten](t)(w.Eaters(ctx, w.cook(t, atNoon), meat.ID.String(), cooked, false, shanghai))
			must[[]Eaten](t)(w.Eaters(ctx, w.cook(t, atNoon), meat.ID.String(), cooked, true, shanghai))
		}
		if looks("canteen.trace-listed", "wang") != 1 || looks("canteen.trace-exported", "wang") != 2 || looks("canteen.trace-export", "") != 2 {
			t.Error("looks at people are not recorded: once a day, and each time for a file")
		}

		// And back. By code nobody is named; by name only who may see names.
		day := lunch(t).Day
		for query, want := range map[string]int{ate.Code: 1, "王桂": 0, "": 0} {
			if found := must[[]Order](t)(w.Complaints(ctx, w.cook(t, atNoon), day, query, false, shanghai)); len(found) != want {
				t.Errorf("%q without names: %+v", query, found)
			}
		}
		if found := must[[]Order](t)(w.Complaints(ctx, w.cook(t, atNoon), day, "王桂", true, shanghai)); len(found) != 2 {
			t.Errorf("by name: %+v", found)
		}
		var batches []uuid.UUID
		for _, u := range must[[]Use](t)(w.UsesOf(ctx, ate.Sitting)) {
			if slices.ContainsFunc(ate.Lines, func(l Line) bool { return idOf(l.Dish) == u.Dish }) {
				batches = append(batches, u.Batch)
			}
		}
		var suppliers []string
		for _, b := range must[[]Batch](t)(w.Batches(ctx, BatchQuery{IDs: batches})) {
			suppliers = append(suppliers, must[Supplier](t)(w.Supplier(ctx, b.Supplier)).Name)
		}
		if !slices.Equal(suppliers, []string{"湖畔农场", "鱼台米业"}) {
			t.Errorf("suppliers of a meal: %q", suppliers)
		}
	})
}

// TestSafetyDue: what the kitchen is reminded of, and that it goes when it is
// done.
func TestSafetyDue(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		due := func(at string) string {
			d := must[SafetyDue](t)(w.SafetyDue(ctx, moment(t, at), shanghai))
			return fmt.Sprint(len(d.Unsampled), len(d.Discardable), len(d.Expired), len(d.Near), len(d.Unchecked), d.Any())
		}
		farm := w.supplier(t, "湖畔农场")
		w.batch(t, "猪肉", farm, "2026-11-22")
		w.batch(t, "猪肝", farm, "2026-11-26")
		w.batch(t, "大米", farm, "2026-11-27")
		w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		for at, want := range map[string]string{
			"2026-11-23T10:59:59+08:00": "0 0 1 1 1 true",
			"2026-11-23T11:00:00+08:00": "1 0 1 1 1 true", // the rice was not ordered
			"2026-11-24T11:00:00+08:00": "0 0 1 2 1 true",
		} {
			if got := due(at); got != want {
				t.Errorf("at %s: %s, want %s", at, got, want)
			}
		}
		must[[]Sample](t)(w.TakeSamples(ctx, w.cook(t, atNoon), []Sample{{Sitting: lunch(t), Dish: w.pork.ID, Grams: 125, Place: "冰箱", TakenAt: moment(t, atNoon)}}, shanghai))
		for _, b := range must[[]Batch](t)(w.Batches(ctx, BatchQuery{Open: true})) {
			if err := w.EndBatch(ctx, w.cook(t, atNoon), b.ID, BatchUsedUp, ""); err != nil {
				t.Fatal(err)
			}
		}
		var all []Finding
		for _, p := range checkPoints {
			all = append(all, Finding{Point: p, State: CheckOK})
		}
		if err := w.PutChecks(ctx, w.cook(t, atNoon), "lakeside", lunch(t).Day, all[1:], shanghai); err != nil {
			t.Fatal(err)
		}
		if got := due(atNoon); got != "0 0 0 0 1 true" {
			t.Errorf("one point is open: %s", got)
		}
		if err := w.PutChecks(ctx, w.cook(t, atNoon), "lakeside", lunch(t).Day, all[:1], shanghai); err != nil {
			t.Fatal(err)
		}
		if got := due(atNoon); got != "0 0 0 0 0 false" {
			t.Errorf("all is done: %s", got)
		}
		if got := due("2026-11-25T12:00:00+08:00"); got != "0 1 0 0 1 true" {
			t.Errorf("after 48 hours: %s", got)
		}
	})
}

// TestEraseSafety: records go two years after the last of what they are about.
func TestEraseSafety(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		farm := w.supplier(t, "湖畔农场")
		meat, rice := w.batch(t, "猪肉", farm, "2026-11-25"), w.batch(t, "大米", farm, "2027-05-01")
		if err := w.PutBatchPhoto(ctx, w.cook(t, sunday), meat.ID, []byte("picture")); err != nil {
			t.Fatal(err)
		}
		if err := w.putUses(t, atNoon, DishBatches{w.pork.ID, []uuid.UUID{meat.ID, rice.ID}}); err != nil {
			t.Fatal(err)
		}
		must[[]Sample](t)(w.TakeSamples(ctx, w.cook(t, atNoon), []Sample{{Sitting: lunch(t), Dish: w.pork.ID, Grams: 125, Place: "冰箱", TakenAt: moment(t, atNoon)}}, shanghai))
		if err := w.PutChecks(ctx, w.cook(t, atNoon), "lakeside", lunch(t).Day, []Finding{{Point: "hands", State: CheckOK}}, shanghai); err != nil {
			t.Fatal(err)
		}
		if err := w.RetireSupplier(ctx, w.cook(t, atNoon), farm.ID, true); err != nil {
			t.Fatal(err)
		}
		left := func() string {
			var counts []int64
			for _, model := range []any{(*supplierRow)(nil), (*batchRow)(nil), (*batchPhoto)(nil), (*useRow)(nil), (*sampleRow)(nil), (*checkRow)(nil)} {
				counts = append(counts, must[int64](t)(w.db.Reader().NewSelect().Model(model).Count(ctx)))
			}
			return fmt.Sprint(counts)
		}
		for _, step := range []struct{ at, want string }{
			{"2028-11-22T12:00:00+08:00", "[1 2 1 2 1 1]"},
			{"2028-11-23T12:00:00+08:00", "[1 2 1 0 0 0]"}, // the meal's day was two years ago
			{"2028-11-25T12:00:00+08:00", "[1 1 0 0 0 0]"}, // and the meat's last day
			{"2029-05-01T12:00:00+08:00", "[0 0 0 0 0 0]"},
		} {
			if _, err := w.Erase(ctx, moment(t, step.at), shanghai); err != nil {
				t.Fatal(err)
			}
			if got := left(); got != step.want {
				t.Errorf("at %s: %s, want %s", step.at, got, step.want)
			}
		}
	})
}

// keepSafe does everything for food safety that the audit has.
func (w world) keepSafe(t testing.TB, by By) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	supper := Sitting{"lakeside", civil.DateOf(by.Now, shanghai), "supper"}
	must[Menu](t)(w.PutMenu(ctx, by, Plan{Sitting: supper, Published: true, Items: []PlanItem{{Dish: w.pork.ID, Price: 1800, Stock: 5}}}))
	farm := w.supplier(t, "湖畔农场")
	must[Supplier](t)(w.PutSupplier(ctx, by, farm))
	meat := w.batch(t, "猪肉", farm, "2026-11-25")
	must[Batch](t)(w.PutBatch(ctx, by, meat))
	check(w.PutUses(ctx, by, supper, []DishBatches{{w.pork.ID, []uuid.UUID{meat.ID}}}, shanghai))
	check(w.EndBatch(ctx, by, meat.ID, BatchUsedUp, ""))
	var sample Sample
	for range 2 {
		sample = must[[]Sample](t)(w.TakeSamples(ctx, by, []Sample{{Sitting: supper, Dish: w.pork.ID, Grams: 125, Place: "冰箱", TakenAt: by.Now}}, shanghai))[0]
	}
	w.age(t, sample)
	must[Sample](t)(w.DiscardSample(ctx, by, sample.ID))
	check(w.PutChecks(ctx, by, "lakeside", supper.Day, []Finding{{Point: "hands", State: CheckOK}}, shanghai))
	check(w.RetireSupplier(ctx, by, farm.ID, true))
	check(w.RetireSupplier(ctx, by, farm.ID, false))
	want := w.wanted(t, "zhao", PayCounter, 1, 0)
	w.mustPlace(t, want)
	cooked := []Cooked{{lunch(t), w.pork.ID}}
	for _, exported := range []bool{true, false} {
		must[[]Eaten](t)(w.Eaters(ctx, by, meat.ID.String(), cooked, exported, shanghai))
	}
}

// age has a sample be kept for 48 hours longer.
func (s *Store) age(t testing.TB, sample Sample) {
	t.Helper()
	err := s.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*sampleRow)(nil)).Set("taken_at = ?", sample.TakenAt.Add(-sampleKept).Unix()).Where("id = ?", sample.ID).Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// expiringSafety are rows of food safety whose time begins at a moment.
func (w world) expiringSafety(t testing.TB, insert, coarse func(row func(at time.Time) any) databasetest.Expiring) map[string]databasetest.Expiring {
	t.Helper()
	farm := w.supplier(t, "湖畔农场")
	long := w.batch(t, "大米", farm, "2099-01-01")
	dayBefore := func(at time.Time) string { return civil.DateOf(at, shanghai).AddDays(-1).String() }
	ended := func(at time.Time) *batchRow {
		day := dayBefore(at)
		return &batchRow{ID: uuid.New(), Supplier: farm.ID, BoughtOn: day, ExpiresOn: &day, EndedAs: BatchUsedUp, EndedAt: unix(at)}
	}
	var last *batchRow
	batch := insert(func(at time.Time) any { last = ended(at); return last })
	photo := insert(func(at time.Time) any {
		return &batchPhoto{Batch: last.ID, ID: uuid.New(), Content: []byte("picture"), CreatedAt: at.Unix()}
	})
	return map[string]databasetest.Expiring{
		"suppliers": insert(func(at time.Time) any { return &supplierRow{ID: uuid.New(), RetiredAt: unix(at)} }),
		"batches":   batch,
		"batch_photos": {Insert: func(at time.Time) error {
			if err := batch.Insert(at); err != nil {
				return err
			}
			return photo.Insert(at)
		}},
		"uses": coarse(func(at time.Time) any {
			return &useRow{Canteen: "lakeside", Day: dayBefore(at), Meal: "lunch", Dish: w.pork.ID, Batch: long.ID}
		}),
		"samples": coarse(func(at time.Time) any {
			return &sampleRow{ID: uuid.New(), Canteen: "lakeside", Day: dayBefore(at), Meal: "lunch", Dish: w.pork.ID, Grams: 125}
		}),
		"checks": coarse(func(at time.Time) any {
			return &checkRow{Canteen: "lakeside", Day: dayBefore(at), Point: "hands", State: CheckOK}
		}),
	}
}
