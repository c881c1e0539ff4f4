package canteen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

// sunday is when most of these tests happen; lunch on Monday can be ordered
// until nine o'clock that day.
const sunday = "2026-11-22T18:00:00+08:00"

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

func lakeside() v1alpha1.CanteenPlace {
	return v1alpha1.CanteenPlace{
		Name: "lakeside", DisplayName: "湖畔食堂", MaxPortions: 6, DeliveryEstates: []string{"huayuan"},
		Meals: []v1alpha1.Meal{
			{Name: "lunch", DisplayName: "午餐", From: "11:00", To: "12:30", CutOff: "09:00", Ways: []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp, v1alpha1.WayDelivery}},
			{Name: "supper", DisplayName: "晚餐", From: "17:00", To: "18:30", CutOff: "20:00", CutOffDaysBefore: 1, Ways: []v1alpha1.Way{v1alpha1.WayPickUp}},
		},
	}
}

func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// lunch is the sitting that these tests order from.
func lunch(t testing.TB) Sitting {
	return Sitting{Canteen: "lakeside", Day: date(t, "2026-11-23"), Meal: "lunch"}
}

// world is a store with a canteen, and dishes on Monday's menu: pork for 18
// yuan of which there are five, rice for two yuan of which there are enough.
type world struct {
	*Store
	pork, rice Dish
}

func (w world) lines(pork, rice int) []Line {
	var lines []Line
	if pork > 0 {
		lines = append(lines, Line{Dish: w.pork.ID.String(), Portions: pork})
	}
	if rice > 0 {
		lines = append(lines, Line{Dish: w.rice.ID.String(), Portions: rice})
	}
	return lines
}

func eachWorld(t *testing.T, f func(t *testing.T, w world)) {
	t.Helper()
	var migrations fs.FS = must[fs.FS](t)(Migrations())
	libraries := map[string]func() (fs.FS, error){audit.Name: audit.Migrations, notify.Name: notify.Migrations}
	databasetest.EachWith(t, migrations, libraries, func(t *testing.T, db *database.DB) {
		w := world{Store: NewStore(db)}
		now := moment(t, sunday)
		if err := w.SyncCanteens(t.Context(), v1alpha1.ManagedByCommunity, []v1alpha1.CanteenPlace{lakeside()}, now); err != nil {
			t.Fatal(err)
		}
		by := By{Actor: "cook", Now: now}
		w.pork = must[Dish](t)(w.PutDish(t.Context(), by, Dish{ID: uuid.New(), Name: "红烧肉", Kind: KindMeat, Price: 1800, Allergens: []Allergen{"Soya"}, Nutrition: Nutrition{Energy: 1900, Protein: 210}}))
		w.rice = must[Dish](t)(w.PutDish(t.Context(), by, Dish{ID: uuid.New(), Name: "米饭", Kind: KindStaple, Price: 200}))
		must[Menu](t)(w.PutMenu(t.Context(), by, Plan{Sitting: lunch(t), Published: true, Items: []PlanItem{
			{Dish: w.pork.ID, Price: 1800, Stock: 5, MaxPerOrder: 3}, {Dish: w.rice.ID, Price: 200, Stock: 100},
		}}))
		f(t, w)
	})
}

// wanted is an order for somebody over 80, who pays half of it.
func (w world) wanted(t testing.TB, eater string, payment Payment, pork, rice int) Wanted {
	return Wanted{
		Sitting: lunch(t), Eater: eater, OrderedBy: eater, Payer: eater, Name: "王桂花", Payment: payment,
		Content: Content{Way: v1alpha1.WayPickUp, Lines: w.lines(pork, rice)},
		Who:     Eater{BornOn: date(t, "1940-01-01")}, Tiers: []v1alpha1.Tier{{Name: "over-80", MinAge: ptr(80), DiscountPercent: 50}},
		Now: moment(t, sunday), Location: shanghai,
	}
}

// mustKeep writes an order as it is given.
func (w world) mustKeep(t testing.TB, o Order) {
	t.Helper()
	if err := w.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return keep(ctx, tx, o) }); err != nil {
		t.Fatal(err)
	}
}

func (w world) mustPlace(t testing.TB, want Wanted) Order {
	t.Helper()
	o, _, err := w.Place(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// left is how many portions of pork can still be ordered. It also recounts them.
func (w world) left(t testing.TB) int {
	t.Helper()
	m := must[Menu](t)(w.Menu(t.Context(), lunch(t)))
	item, _ := m.Item(w.pork.ID)
	var rows []orderRow
	if err := w.db.Reader().NewSelect().Model(&rows).Where("day = ?", lunch(t).Day.String()).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, o := range must[[]Order](t)(ordersOf(rows)) {
		counted += held(o, w.pork.ID.String())
	}
	if counted != item.Taken {
		t.Errorf("%d portions are taken, but orders have %d", item.Taken, counted)
	}
	return item.Left()
}

// held is how many portions of a dish an order keeps from others.
func held(o Order, dish string) int {
	of := func(c Content) (n int) {
		for _, l := range c.Lines {
			if l.Dish == dish {
				n += l.Portions
			}
		}
		return n
	}
	switch {
	case o.State == StateCancelled || o.State == StateRefused:
		return 0
	case o.Next != nil && o.State == StatePlacing:
		return of(*o.Next)
	case o.Next != nil:
		return max(of(o.Content), of(*o.Next))
	}
	return of(o.Content)
}

func wantRule(t testing.TB, err error, rule Rule) {
	t.Helper()
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Rule != rule {
		t.Errorf("got %v, want a refusal by %s", err, rule)
	}
}

// TestPlaceAndPay follows an order that a purse pays for, from being asked for
// to being taken.
func TestPlaceAndPay(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, now := t.Context(), moment(t, sunday)
		o := w.mustPlace(t, w.wanted(t, "wang", PayPurse, 2, 1))
		if o.State != StatePlacing || o.Money != MoneyHolding || o.Total != 3800 || o.Pays() != 1900 || o.Tier != "over-80" {
			t.Fatalf("placed %+v", o)
		}
		if left := w.left(t); left != 3 {
			t.Errorf("%d portions left while the purse is asked", left)
		}
		if due := must[[]Order](t)(w.Due(ctx, now)); len(due) != 1 || due[0].ID != o.ID {
			t.Errorf("due: %+v", due)
		}
		for range 2 { // answered twice is answered once
			o = must[Order](t)(w.Answered(ctx, o.ID, 1, true, now))
			if o.State != StatePlaced || o.Money != MoneyHeld || o.Next != nil {
				t.Fatalf("answered: %+v", o)
			}
		}
		if err := w.Advance(ctx, moment(t, "2026-11-23T08:59:59+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		if due := must[[]Order](t)(w.Due(ctx, now)); len(due) != 0 {
			t.Errorf("due before the cut-off: %+v", due)
		}
		if err := w.Advance(ctx, moment(t, "2026-11-23T09:00:00+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		due := must[[]Order](t)(w.Due(ctx, moment(t, "2026-11-23T09:00:00+08:00")))
		if len(due) != 1 || due[0].Money != MoneyCapture {
			t.Fatalf("due after the cut-off: %+v", due)
		}
		must[Order](t)(w.Settled(ctx, o.ID, MoneyCapture, MoneyCaptured, Posted{Taken: date(t, "2026-11-23")}, now))
		rows := must[[]SubsidyRow](t)(w.Subsidies(ctx, "2026-11", "2026-11"))
		if want := (SubsidyRow{"2026-11", "over-80", 1, 3800, 1900}); len(rows) != 1 || rows[0] != want {
			t.Errorf("subsidies %+v, want %+v", rows, want)
		}
		if err := w.Advance(ctx, moment(t, "2026-11-23T16:30:00+08:00"), shanghai); err != nil {
			t.Fatal(err)
		}
		if o = must[Order](t)(w.Order(ctx, Reach{Staff: true}, o.ID)); o.State != StateMissed {
			t.Errorf("four hours after the meal it is %s", o.State)
		}
	})
}

// TestTooLittle: an order that the purse cannot pay gives its portions back,
// and stands in nobody's way.
func TestTooLittle(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		now := moment(t, sunday)
		o := w.mustPlace(t, w.wanted(t, "wang", PayPurse, 2, 0))
		o = must[Order](t)(w.Answered(t.Context(), o.ID, 1, false, now))
		if o.State != StateRefused || w.left(t) != 5 {
			t.Errorf("it is %s, and %d portions are left", o.State, w.left(t))
		}
		o = w.mustPlace(t, w.wanted(t, "wang", PayPurse, 1, 0))
		o = must[Order](t)(w.Answered(t.Context(), o.ID, 1, true, now))
		a := Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: o.ID, Now: now, Location: shanghai}
		want := Content{Way: v1alpha1.WayEatIn, Lines: w.lines(3, 0)}
		changing := must[Order](t)(w.Change(t.Context(), a, want, Eater{}, nil))
		if changing.Next == nil || w.left(t) != 2 {
			t.Errorf("while the purse is asked for more: %+v, %d left", changing, w.left(t))
		}
		_, err := w.Change(t.Context(), a, want, Eater{}, nil)
		wantRule(t, err, RuleBusy)
		_, err = w.Cancel(t.Context(), a)
		wantRule(t, err, RuleBusy)
		o = must[Order](t)(w.Answered(t.Context(), o.ID, 2, false, now))
		if o.State != StatePlaced || Portions(o.Lines) != 1 || o.Way != v1alpha1.WayPickUp || w.left(t) != 4 {
			t.Errorf("after too little for a change: %+v, %d left", o, w.left(t))
		}
		must[Order](t)(w.Change(t.Context(), a, want, Eater{}, nil))
		o = must[Order](t)(w.Answered(t.Context(), o.ID, 3, true, now))
		if Portions(o.Lines) != 3 || o.Way != v1alpha1.WayEatIn || w.left(t) != 2 {
			t.Errorf("changed to %+v, %d left", o, w.left(t))
		}
		o = must[Order](t)(w.Cancel(t.Context(), a))
		if o.State != StateCancelled || o.Money != MoneyRelease || w.left(t) != 5 {
			t.Errorf("cancelled: %+v, %d left", o, w.left(t))
		}
		if again := must[Order](t)(w.Cancel(t.Context(), a)); again.Money != MoneyRelease || w.left(t) != 5 {
			t.Errorf("cancelled again: %+v", again)
		}
	})
}

// TestRules: what is refused, and that nothing is taken by it.
func TestRules(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for name, test := range map[string]struct {
			change func(want *Wanted)
			rule   Rule
		}{
			"at the cut-off":             {func(o *Wanted) { o.Now = moment(t, "2026-11-23T09:00:00+08:00") }, RuleCutOff},
			"staff after the meal":       {func(o *Wanted) { o.Staff, o.Now = true, moment(t, "2026-11-23T12:30:00+08:00") }, RuleCutOff},
			"an unknown canteen":         {func(o *Wanted) { o.Canteen = "nowhere" }, RuleUnknownSitting},
			"an unknown meal":            {func(o *Wanted) { o.Meal = "breakfast" }, RuleUnknownSitting},
			"a day without a menu":       {func(o *Wanted) { o.Day = o.Day.AddDays(1) }, RuleNotPublished},
			"nothing":                    {func(o *Wanted) { o.Lines = nil }, RuleNothing},
			"less than nothing":          {func(o *Wanted) { o.Lines = []Line{{w.pork.ID.String(), 3, 0}, {w.rice.ID.String(), -1, 0}} }, RuleUnknownDish},
			"a dish that is not offered": {func(o *Wanted) { o.Lines[0].Dish = uuid.NewString() }, RuleUnknownDish},
			"a dish twice":               {func(o *Wanted) { o.Lines = append(o.Lines, o.Lines[0]) }, RuleDuplicate},
			"too much of a dish":         {func(o *Wanted) { o.Lines = w.lines(4, 0) }, RulePerOrder},
			"too many portions":          {func(o *Wanted) { o.Lines = w.lines(1, 6) }, RulePortions},
			"more than there are":        {func(o *Wanted) { o.Staff, o.Lines = true, w.lines(6, 1) }, RuleSoldOut},
			"brought to another estate":  {func(o *Wanted) { o.Way = v1alpha1.WayDelivery; o.Home.Estate = "tielu" }, RuleNoDelivery},
			"a way that is not offered":  {func(o *Wanted) { o.Way = "Drone" }, RuleWay},
		} {
			want := w.wanted(t, "wang", PayCounter, 1, 1)
			test.change(&want)
			_, _, err := w.Place(t.Context(), want)
			t.Run(name, func(t *testing.T) { wantRule(t, err, test.rule) })
		}
		if left := w.left(t); left != 5 {
			t.Errorf("%d portions left after nothing was ordered", left)
		}
		w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		_, _, err := w.Place(t.Context(), w.wanted(t, "wang", PayCounter, 1, 0))
		wantRule(t, err, RuleOrdered)
		if left := w.left(t); left != 4 {
			t.Errorf("%d portions left after the same was ordered twice", left)
		}
	})
}

// TestOnceUnderAKey: what a phone repeats is done once.
func TestOnceUnderAKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		want := w.wanted(t, "wang", PayCounter, 1, 0)
		want.Key = "k"
		first := w.mustPlace(t, want)
		again, replayed, err := w.Place(t.Context(), want)
		if err != nil || !replayed || again.ID != first.ID || w.left(t) != 4 {
			t.Errorf("again: %v, %v, %d left", replayed, err, w.left(t))
		}
		want.Lines = w.lines(2, 0)
		if _, _, err := w.Place(t.Context(), want); !errors.Is(err, ErrKeyReused) {
			t.Errorf("another order under the key: %v", err)
		}
		// Also where nothing else stands in the way of a second one.
		want.Lines = w.lines(1, 0)
		must[Order](t)(w.Cancel(t.Context(), Act{Reach: Reach{Actor: "wang", Persons: []string{"wang"}}, ID: first.ID, Now: moment(t, sunday), Location: shanghai}))
		again, replayed, err = w.Place(t.Context(), want)
		if err != nil || !replayed || again.ID != first.ID || again.State != StateCancelled || w.left(t) != 5 {
			t.Errorf("after it was cancelled: %+v, %v, %v, %d left", again, replayed, err, w.left(t))
		}
	})
}

// TestAnsweredLate: an order whose money was refused stays so, whoever comes to
// say later that it is held, and one that was placed is not placed again.
func TestAnsweredLate(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		now := moment(t, sunday)
		for _, held := range []bool{false, true} {
			o := w.mustPlace(t, w.wanted(t, "wang", PayPurse, 1, 0))
			answered := must[Order](t)(w.Answered(t.Context(), o.ID, o.Revision, held, now))
			if _, done, err := w.placed(t.Context(), o, now.Add(time.Hour)); done || err != nil {
				t.Errorf("held %v: placed again, %v", held, err)
			}
			if is := must[Order](t)(orderIn(t.Context(), w.db.Reader(), o.ID)); is.State != answered.State || is.Money != answered.Money || !is.UpdatedAt.Equal(answered.UpdatedAt) {
				t.Errorf("held %v: %+v, was %+v", held, is, answered)
			}
		}
		if w.left(t) != 4 {
			t.Errorf("%d left", w.left(t))
		}
	})
}

// TestAtTheCounter: paying, handing out, and what staff take back.
func TestAtTheCounter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		want := w.wanted(t, "wang", PayCounter, 1, 0)
		o := w.mustPlace(t, want)
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: moment(t, "2026-11-23T11:30:00+08:00"), Location: shanghai}
		resident := a
		resident.Reach = Reach{Actor: "wang", Persons: []string{"wang"}}
		_, err := w.Cancel(t.Context(), resident)
		wantRule(t, err, RuleCutOff)
		for range 2 {
			if o = must[Order](t)(w.Pay(t.Context(), a)); o.Money != MoneySale {
				t.Errorf("paid: %+v", o)
			}
			if o = must[Order](t)(w.Serve(t.Context(), a)); o.State != StateServed {
				t.Errorf("served: %+v", o)
			}
		}
		_, err = w.Cancel(t.Context(), a)
		wantRule(t, err, RuleEnded)
		if o = must[Order](t)(w.Unserve(t.Context(), a)); o.State != StatePlaced {
			t.Errorf("taken back: %+v", o)
		}
		if o = must[Order](t)(w.Cancel(t.Context(), a)); o.State != StateCancelled || o.Money != MoneyRefund || w.left(t) != 5 {
			t.Errorf("cancelled: %+v, %d left", o, w.left(t))
		}
		if report := must[audit.Report](t)(audit.Verify(t.Context(), w.db)); report.Bad != nil || report.Entries != 7 {
			t.Errorf("audit: %+v", report)
		}
	})
}

// TestServedEarly: what is handed out before the cut-off is paid then.
func TestServedEarly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		now := moment(t, sunday)
		o := w.mustPlace(t, w.wanted(t, "wang", PayPurse, 1, 0))
		must[Order](t)(w.Answered(t.Context(), o.ID, 1, true, now))
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: now, Location: shanghai}
		if o = must[Order](t)(w.Serve(t.Context(), a)); o.State != StateServed || o.Money != MoneyCapture {
			t.Errorf("served: %+v", o)
		}
		must[Order](t)(w.Unserve(t.Context(), a))
		if o = must[Order](t)(w.Cancel(t.Context(), a)); o.Money != MoneyRefund {
			t.Errorf("cancelled after that: %+v", o)
		}
	})
}

// TestActions: everything that the audit has is called something.
func TestActions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		by := By{Actor: "cook", Now: moment(t, sunday)}
		want := w.wanted(t, "wang", PayCounter, 1, 0)
		want.Staff = true
		o := w.mustPlace(t, want)
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: moment(t, sunday), Location: shanghai}
		for range 2 {
			must[[]Order](t)(w.Look(t.Context(), by, lunch(t), false, shanghai))
			must[[]Order](t)(w.Look(t.Context(), by, lunch(t), true, shanghai))
		}
		must[Order](t)(w.See(t.Context(), by, o.ID))
		must[Order](t)(w.Change(t.Context(), a, Content{Way: v1alpha1.WayEatIn, Lines: w.lines(0, 1)}, Eater{}, nil))
		for _, do := range []func(context.Context, Act) (Order, error){w.Serve, w.Unserve, w.Pay, w.Cancel} {
			must[Order](t)(do(t.Context(), a))
		}
		standing := w.lunches(t, func(o *StandingWanted) { o.Actor, o.Now = "cook", by.Now })
		must[[]Standing](t)(w.SeeStandings(t.Context(), by, "wang"))
		a.ID = standing.ID
		if _, _, err := w.SkipDays(t.Context(), a, []civil.Date{lunch(t).Day}); err != nil {
			t.Fatal(err)
		}
		must[Standing](t)(w.SeeStanding(t.Context(), by, standing.ID))
		changed := StandingChange{StandingTerms: standing.StandingTerms, Version: standing.Version}
		changed.Wish = "少盐"
		must[Standing](t)(w.ChangeStanding(t.Context(), a, changed))
		must[Standing](t)(w.EndStanding(t.Context(), a, EndedByStaff))
		for _, retired := range []bool{true, false} {
			if err := w.RetireDish(t.Context(), by, w.rice.ID, retired); err != nil {
				t.Fatal(err)
			}
		}
		dish := must[Dish](t)(w.Dish(t.Context(), w.pork.ID))
		must[Dish](t)(w.PutDish(t.Context(), by, dish))
		for _, change := range []func(context.Context, By, string, string) error{w.AddMember, w.AddMember, w.RemoveMember, w.RemoveMember} {
			must[[]string](t)(w.Members(t.Context(), by, "low-income", shanghai))
			if err := change(t.Context(), by, "low-income", "wang"); err != nil {
				t.Fatal(err)
			}
		}
		w.keepSafe(t, by)
		suggested := must[Suggestion](t)(w.Suggest(t.Context(), by, "馄饨", ""))
		must[string](t)(w.Author(t.Context(), by, suggested.ID))
		for i, state := range []SuggestionState{SuggestionPlanned, SuggestionHidden} {
			must[Suggestion](t)(w.Answer(t.Context(), by, suggested.ID, 1+i, state, "重复"))
		}
		other := lakeside()
		other.Name = "riverside"
		for version := range 2 {
			if err := w.SaveCanteen(t.Context(), by, other, version); err != nil {
				t.Fatal(err)
			}
		}
		for _, retired := range []bool{true, false} {
			if err := w.RetireCanteen(t.Context(), by, "riverside", retired); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]int{}
		for _, r := range must[[]audit.Record](t)(audit.Between(t.Context(), w.db, moment(t, sunday).Add(-time.Hour), moment(t, sunday).Add(time.Hour), 100)) {
			if actionTexts[r.Action] == "" {
				t.Errorf("%s is called nothing", r.Action)
			}
			seen[r.Action]++
		}
		if seen["canteen.orders-view"] != 2 || seen["canteen.order-listed"] != 1 || seen["canteen.order-printed"] != 2 ||
			seen["canteen.member-add"] != 1 || seen["canteen.member-remove"] != 1 || seen["canteen.member-listed"] != 1 || len(seen) != len(actionTexts)-1 {
			t.Errorf("seen %v of %d actions", seen, len(actionTexts))
		}
	})
}

// TestLastPortions: many who want the last portions at once get as many as
// there are, and no more.
func TestLastPortions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		sold := 0
		for i := range 40 {
			wg.Go(func() {
				_, _, err := w.Place(t.Context(), w.wanted(t, fmt.Sprint("eater-", i), PayCounter, 1, 1))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					sold++
				} else if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Rule != RuleSoldOut {
					t.Errorf("eater %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if sold != 5 || w.left(t) != 0 {
			t.Errorf("%d sold, %d left", sold, w.left(t))
		}
	})
}

// TestMenus: what was ordered cannot be taken off a menu, two who plan at once
// do not overwrite each other, and a week is copied as drafts.
func TestMenus(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, by := t.Context(), By{Actor: "cook", Now: moment(t, sunday)}
		w.mustPlace(t, w.wanted(t, "wang", PayCounter, 2, 0))
		plan := func(version, stock int, published bool) error {
			_, err := w.PutMenu(ctx, by, Plan{Sitting: lunch(t), Version: version, Published: published, Items: []PlanItem{{Dish: w.pork.ID, Price: 1600, Stock: stock}}})
			return err
		}
		for name, err := range map[string]error{"less than was ordered": plan(1, 1, true), "hidden after it was ordered": plan(1, 5, false)} {
			if !errors.Is(err, ErrInUse) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := plan(1, 2, true); err != nil {
			t.Error(err)
		}
		if err := plan(1, 9, true); !errors.Is(err, ErrStale) {
			t.Errorf("an older version: %v", err)
		}
		monday := date(t, "2026-11-30")
		if n := must[int](t)(w.CopyWeek(ctx, by, "lakeside", monday)); n != 1 {
			t.Errorf("%d menus copied", n)
		}
		if n := must[int](t)(w.CopyWeek(ctx, by, "lakeside", monday)); n != 0 {
			t.Errorf("%d menus copied again", n)
		}
		m := must[Menu](t)(w.Menu(ctx, Sitting{"lakeside", monday, "lunch"}))
		if len(m.Items) != 1 || !m.PublishedAt.IsZero() || m.Items[0].Taken != 0 || m.Items[0].Price != 1800 {
			t.Errorf("copied: %+v", m)
		}
		if published := must[[]Menu](t)(w.Menus(ctx, "", monday, monday, false)); len(published) != 0 {
			t.Errorf("a draft is public: %+v", published)
		}
	})
}

// TestForget: a person who leaves is in no order any more, what is ahead of
// them is cancelled, and what was stays as nobody's.
func TestForget(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, now := t.Context(), moment(t, sunday)
		o := w.mustPlace(t, w.wanted(t, "wang", PayPurse, 1, 0))
		o = must[Order](t)(w.Answered(ctx, o.ID, 1, true, now))
		if err := w.Forget(ctx, "wang", now); !errors.Is(err, errUnsettled) {
			t.Errorf("forgotten while money is held: %v", err)
		}
		must[Order](t)(w.Settled(ctx, o.ID, MoneyRelease, MoneyReleased, Posted{}, now))
		for range 2 {
			if err := w.Forget(ctx, "wang", now); err != nil {
				t.Fatal(err)
			}
		}
		o = must[Order](t)(w.Order(ctx, Reach{Staff: true}, o.ID))
		if o.Eater != "" || o.Name != "" || o.Payer != "" || o.OrderedBy != "" || o.State != StateCancelled || w.left(t) != 5 {
			t.Errorf("left behind: %+v", o)
		}
	})
}

// TestErase: orders go when their time is over, and what was subsidised stays.
func TestErase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		o := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		a := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: moment(t, "2026-11-23T11:30:00+08:00"), Location: shanghai}
		must[Order](t)(w.Pay(ctx, a))
		end := moment(t, "2026-11-24T00:00:00+08:00").Add(orderRetention)
		if err := w.Advance(ctx, end, shanghai); err != nil {
			t.Fatal(err)
		}
		if n := must[int64](t)(w.Erase(ctx, end, shanghai)); n != 0 {
			t.Errorf("%d erased while a payment is due", n)
		}
		must[Order](t)(w.Settled(ctx, o.ID, MoneySale, MoneySold, Posted{Taken: date(t, "2026-11-23")}, end))
		if n := must[int64](t)(w.Erase(ctx, end.Add(-time.Second), shanghai)); n != 0 {
			t.Errorf("%d erased on the last day", n)
		}
		before := must[[]SubsidyRow](t)(w.Subsidies(ctx, "2026-11", "2026-11"))
		for i := range 2 {
			if n := must[int64](t)(w.Erase(ctx, end, shanghai)); n != int64(1-i) {
				t.Errorf("%d erased", n)
			}
			after := must[[]SubsidyRow](t)(w.Subsidies(ctx, "2026-11", "2026-11"))
			if len(before) != 1 || before[0].Subsidy != 900 || !slices.Equal(before, after) {
				t.Errorf("subsidies were %+v, and are %+v", before, after)
			}
		}
	})
}

// Every kind of row is erased when its time is over, and not before.
func TestEveryTableHasARetention(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		insert := func(row func(at time.Time) any) databasetest.Expiring {
			return databasetest.Expiring{Insert: func(at time.Time) error {
				return w.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(row(at)).Exec(ctx)
					return err
				})
			}}
		}
		// Whose days are kept for longer than it.
		standing := w.lunches(t, nil).ID
		dayBefore := func(at time.Time) string { return civil.DateOf(at, shanghai).AddDays(-1).String() }
		coarse := func(row func(at time.Time) any) databasetest.Expiring {
			e := insert(row)
			e.Coarse = true // a day ends at midnight
			return e
		}
		rows := map[string]databasetest.Expiring{
			"standing_orders": insert(func(at time.Time) any {
				return &standingRow{ID: uuid.New(), Weekdays: "[]", Dishes: "{}", FirstDay: "2026-11-23", EndedAt: unix(at)}
			}),
			"standing_skips": coarse(func(at time.Time) any { return &skipRow{Standing: standing, Day: dayBefore(at)} }),
			"standing_days": coarse(func(at time.Time) any {
				return &standingDayRow{Standing: standing, Day: dayBefore(at), Outcome: OutcomeNoMenu}
			}),
			"orders": insert(func(at time.Time) any {
				return &orderRow{ID: uuid.New(), Day: civil.DateOf(at.Add(-time.Second), shanghai).String(), Lines: "[]", Home: "{}", State: StateServed}
			}),
			"ratings": {Coarse: true, Insert: func(at time.Time) error { // whole days
				day := civil.DateOf(at, shanghai).AddDays(-1).String()
				o := orderRow{ID: uuid.New(), Day: day, Lines: "[]", Home: "{}", State: StateServed}
				return w.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					_, err := tx.NewInsert().Model(&o).Exec(ctx)
					if err == nil {
						_, err = tx.NewInsert().Model(&ratingRow{OrderID: o.ID, Dish: w.pork.ID, Day: day, Stars: 3}).Exec(ctx)
					}
					return err
				})
			}},
			"suggestions ended": insert(func(at time.Time) any {
				return &suggestionRow{ID: uuid.New(), Title: "馄饨", State: SuggestionCooked, Version: 2, EndedAt: unix(at)}
			}),
			"idempotency": insert(func(at time.Time) any {
				return &idempotencyRow{Person: "wang", Key: "k", Result: uuid.New(), CreatedAt: at.Unix()}
			}),
		}
		maps.Copy(rows, w.expiringSafety(t, insert, coarse))
		erase := func(now time.Time) error {
			_, err := w.Erase(t.Context(), now, shanghai)
			return err
		}
		midnight := moment(t, "2026-11-23T00:00:00+08:00")
		databasetest.WalkRetention(t, w.db, kept, slices.Concat(audit.Retention, notify.Retention), midnight, erase, rows)
	})
}
