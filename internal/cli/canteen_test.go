package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity/identitytest"
)

// kitchen is a community with a canteen and purses, as they are served
// together, and its people.
type kitchen struct {
	*hosttest.Server
	client *http.Client
	clock  *testclock.FakeClock
	// databaseDir has the connection string of PostgreSQL; empty on SQLite.
	databaseDir string
	// ids are people's records by account.
	ids map[string]string
	// pork is scarce, rice is not.
	pork, rice string
}

func tiers() []v1alpha1.Tier {
	sixty, eighty, most := int32(60), int32(80), int32(900)
	return []v1alpha1.Tier{
		{Name: "over-60", DisplayName: "60岁以上", MinAge: &sixty, DiscountPercent: 25},
		{Name: "over-80", DisplayName: "80岁以上", MinAge: &eighty, DiscountPercent: 50, MaxSubsidyFen: &most},
	}
}

// eachKitchen has f test the services on each engine, from a day at seven on.
// Lunch can be ordered until nine, breakfast until eight in the evening before.
func eachKitchen(t *testing.T, year int, month time.Month, day int, f func(t *testing.T, k *kitchen)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			dir := ""
			if engine == "postgres" {
				dir = t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(databasetest.Postgres(t)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f(t, startKitchen(t, dir, time.Date(year, month, day, 7, 0, 0, 0, kitchenZone)))
		})
	}
}

// kitchenZone is that of the community.
var kitchenZone = time.FixedZone("", 8*3600)

func startKitchen(t *testing.T, databaseDir string, now time.Time) *kitchen {
	t.Helper()
	k := &kitchen{databaseDir: databaseDir, clock: testclock.NewFakeClock(now), ids: map[string]string{}}
	services, err := openServices([]string{"portal", "canteen", "accounts", "messages"})
	if err != nil {
		t.Fatal(err)
	}
	community := hosttest.Community()
	community.Spec.Services.Accounts = &v1alpha1.Accounts{}
	community.Spec.Services.Canteen = &v1alpha1.Canteen{
		ManagedBy: v1alpha1.ManagedByManifest, Tiers: tiers(),
		Canteens: []v1alpha1.CanteenPlace{{
			Name: "lakeside", DisplayName: "湖畔食堂", MaxPortions: 6,
			Meals: []v1alpha1.Meal{
				{Name: "lunch", DisplayName: "午餐", From: "11:00", To: "12:30", CutOff: "09:00", Ways: []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp}},
				{Name: "breakfast", DisplayName: "早餐", From: "07:00", To: "09:00", CutOff: "20:00", CutOffDaysBefore: 1, Ways: []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp}},
			},
		}},
	}
	k.Server = hosttest.Start(t, hosttest.Options{Services: services, Community: community, Clock: k.clock, DatabaseDir: databaseDir, Log: io.Discard})
	k.client = k.Client(t)
	for _, m := range identitytest.Members {
		if m.Account != "" {
			k.ids[m.Account] = m.ID
		}
	}
	dish := func(name, kind string, price int) string {
		var made struct{ ID string }
		k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/dishes", map[string]any{"name": name, "kind": kind, "price": price}, &made)
		return made.ID
	}
	k.pork, k.rice = dish("红烧肉", "Meat", 1800), dish("米饭", "Staple", 199)
	return k
}

// ask makes a request and returns its status; the answer goes into out.
func (k *kitchen) ask(t testing.TB, account, method, path string, in, out any) int {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, k.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+k.Token(t, account))
	request.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", path, k.clock.Now().UnixNano()))
	response, err := k.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(answer, []byte("validation failed")) || response.StatusCode >= 500 || response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusBadRequest {
		t.Fatalf("%s %s by %s: %s: %s", method, path, account, response.Status, answer)
	}
	if out != nil && response.StatusCode < 300 {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	k.clock.Step(time.Millisecond) // so that the next key is another one
	return response.StatusCode
}

func (k *kitchen) must(t testing.TB, account, method, path string, in, out any) {
	t.Helper()
	if status := k.ask(t, account, method, path, in, out); status >= 300 {
		t.Fatalf("%s %s by %s: %d", method, path, account, status)
	}
}

type purse struct{ Balance, Held, Available int64 }

func (k *kitchen) purse(t testing.TB, account string) (p purse) {
	t.Helper()
	k.must(t, "sun-li", "GET", "/accounts/api/v1/staff/purses/"+k.ids[account], nil, &p)
	return p
}

type ledger struct {
	Sum      int64
	Accounts []struct {
		Account     string
		Plus, Minus int64
	}
}

// of is what was posted to an account within the month.
func (l ledger) of(account string) int64 {
	for _, a := range l.Accounts {
		if a.Account == account {
			return a.Plus + a.Minus
		}
	}
	return 0
}

func (k *kitchen) ledger(t testing.TB, month string) (l ledger) {
	t.Helper()
	k.must(t, "zhou-jianguo", "GET", "/accounts/api/v1/staff/ledger?month="+month, nil, &l)
	return l
}

// report is what the canteen says of subsidies.
type report struct {
	Subsidies []struct {
		Month, Tier            string
		Orders, Total, Subsidy int64
	}
	Months []struct {
		Month                                      string
		Total, Subsidy, LedgerTotal, LedgerSubsidy int64
	}
}

// report is that of some months, and what of it is not, month by month, what
// the ledger has.
func (k *kitchen) report(t testing.TB, first, last string) (r report, differs string) {
	t.Helper()
	k.must(t, "zhou-jianguo", "GET", "/canteen/api/v1/staff/subsidies?from="+first+"&to="+last, nil, &r)
	for at := civil.Month(first); at <= civil.Month(last); at = at.Add(1) {
		month, l := string(at), k.ledger(t, string(at))
		if l.Sum != 0 {
			t.Fatalf("the ledger of %s adds up to %d", month, l.Sum)
		}
		var total, subsidy int64
		for _, row := range r.Subsidies {
			if row.Month == month {
				total, subsidy = total+row.Total, subsidy+row.Subsidy
			}
		}
		if total != l.of("revenue/canteen") || subsidy != -l.of("subsidy/canteen") {
			differs = fmt.Sprintf("of %s the canteen says %d with %d of subsidies, the ledger %d with %d", month, total, subsidy, l.of("revenue/canteen"), -l.of("subsidy/canteen"))
		}
	}
	for _, m := range r.Months {
		if m.Total != m.LedgerTotal || m.Subsidy != m.LedgerSubsidy {
			differs = fmt.Sprintf("the report itself says that it differs: %+v", m)
		}
	}
	return r, differs
}

type meal struct {
	ID, State, Person, Tier string
	Date, Payment           string
	StandingOrder           string
	Total, Subsidy, Pays    int64
	Paid, Changing          bool
	Lines                   []struct {
		Dish     string
		Portions int
	}
}

// TestCanteenAndPurse: any sequence of what residents, the counter, the kitchen
// and time do keeps every stock and every purse from falling below nothing and
// the ledger balanced; in the end nothing is held, and the subsidy report is
// month by month what the ledger has. The days go over the end of a month.
func TestCanteenAndPurse(t *testing.T) {
	eachKitchen(t, 2026, time.November, 28, func(t *testing.T, k *kitchen) {
		// A day is some two hundred requests.
		if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
			if err := f.Value.Set("6"); err != nil {
				t.Fatal(err)
			}
			defer f.Value.Set(f.DefValue) //nolint:errcheck // it was that before
		}
		rapid.Check(t, func(r *rapid.T) { k.day(t, r) })
	})
}

// TestMonths: a meal counts in the month in which it was paid, not in that of
// the meal, and what is given back is taken off in the month of that: what was
// reported of a month stays so.
func TestMonths(t *testing.T) {
	eachKitchen(t, 2026, time.October, 31, func(t *testing.T, k *kitchen) {
		k.must(t, "ma-xiuying", "PUT", "/canteen/api/v1/staff/menus/lakeside/2026-11-01/breakfast", map[string]any{"published": true, "items": []any{
			map[string]any{"dish": k.pork, "stock": 10},
		}}, nil)
		order := func(by, path, eater, payment string) (o meal) {
			k.must(t, by, "POST", "/canteen/api/v1"+path, map[string]any{
				"canteen": "lakeside", "date": "2026-11-01", "meal": "breakfast", "way": "EatIn", "person": k.ids[eater], "payment": payment,
				"lines": []any{map[string]any{"dish": k.pork, "portions": 1}},
			}, &o)
			return o
		}
		staff := func(o meal, what string) {
			k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders/"+o.ID+"/"+what, nil, nil)
		}
		at := func(month time.Month, day, hour int) {
			k.clock.SetTime(time.Date(2026, month, day, hour, 0, 0, 0, kitchenZone))
		}
		k.must(t, "sun-li", "POST", "/accounts/api/v1/staff/top-ups", map[string]any{"person": k.ids["wang-guihua"], "amount": 9000}, nil)
		wang := order("wang-guihua", "/orders", "wang-guihua", "Purse")
		li := order("ma-xiuying", "/staff/orders", "li-qiang", "Counter")
		zhao := order("ma-xiuying", "/staff/orders", "zhao-changshun", "Counter")
		if wang.Subsidy == 0 || li.Subsidy != 0 {
			t.Fatalf("%+v, %+v", wang, li)
		}
		staff(zhao, "pay") // pays at once, in October
		at(time.October, 31, 20)
		k.agrees(t, "2026-10 "+wang.Tier+" 1 1800, 2026-10 "+zhao.Tier+" 1 1800")
		at(time.November, 1, 8)
		staff(li, "pay")
		staff(li, "serve")
		staff(wang, "serve")
		k.agrees(t, "2026-10 "+wang.Tier+" 1 1800, 2026-10 "+zhao.Tier+" 1 1800, 2026-11  1 1800")
		at(time.December, 2, 10)
		// Somebody else had it. Meanwhile it may be found that nobody came.
		staff(wang, "unserve")
		for k.ask(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders/"+wang.ID+"/cancel", nil, nil) != http.StatusOK {
			staff(wang, "serve")
			staff(wang, "unserve")
		}
		k.agrees(t, "2026-10 "+wang.Tier+" 1 1800, 2026-10 "+zhao.Tier+" 1 1800, 2026-11  1 1800, 2026-12 "+wang.Tier+" -1 -1800")
		if p := k.purse(t, "wang-guihua"); p.Balance != 9000 || p.Held != 0 {
			t.Errorf("what was given back: %+v", p)
		}
	})
}

// TestServedEarly: who eats before the cut-off has paid when the meal was handed
// out, and does not find it still held in the purse.
func TestServedEarly(t *testing.T) {
	eachKitchen(t, 2026, time.October, 31, func(t *testing.T, k *kitchen) {
		k.must(t, "ma-xiuying", "PUT", "/canteen/api/v1/staff/menus/lakeside/2026-11-01/breakfast", map[string]any{"published": true, "items": []any{
			map[string]any{"dish": k.rice, "stock": 10},
		}}, nil)
		k.must(t, "sun-li", "POST", "/accounts/api/v1/staff/top-ups", map[string]any{"person": k.ids["li-qiang"], "amount": 1000}, nil)
		var o meal
		k.must(t, "li-qiang", "POST", "/canteen/api/v1/orders", map[string]any{
			"canteen": "lakeside", "date": "2026-11-01", "meal": "breakfast", "way": "EatIn", "payment": "Purse",
			"lines": []any{map[string]any{"dish": k.rice, "portions": 1}},
		}, &o)
		if p := k.purse(t, "li-qiang"); p.Balance != 1000 || p.Held != 199 {
			t.Errorf("ordered: %+v", p)
		}
		k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders/"+o.ID+"/serve", nil, nil)
		if p := k.purse(t, "li-qiang"); p.Balance != 801 || p.Held != 0 {
			t.Errorf("handed out: %+v", p)
		}
	})
}

// agrees waits until the report of the year's last months is that, and the same
// as the ledger.
func (k *kitchen) agrees(t *testing.T, want string) {
	t.Helper()
	for over := time.Now().Add(30 * time.Second); ; {
		k.clock.Step(10 * time.Second)
		r, differs := k.report(t, "2026-10", "2026-12")
		var rows []string
		for _, row := range r.Subsidies {
			rows = append(rows, fmt.Sprint(row.Month, " ", row.Tier, " ", row.Orders, " ", row.Total))
		}
		if got := strings.Join(rows, ", "); got != want {
			differs = fmt.Sprintf("%s, want %s", got, want)
		}
		if differs == "" {
			return
		}
		if time.Now().After(over) {
			t.Fatal(differs)
		}
	}
}

// eaters are who eats and who orders for them.
var eaters = []struct{ eater, by string }{
	{"wang-guihua", "wang-guihua"}, {"wang-guihua", "li-qiang"}, {"li-qiang", "li-qiang"}, {"zhao-changshun", "zhao-changshun"}, {"chen-yutong", "chen-yutong"},
}

// day is a day of the canteen, in any order, and the next, for which only
// standing orders order.
func (k *kitchen) day(t *testing.T, r *rapid.T) {
	start := k.clock.Now().In(kitchenZone)
	date, next := start.Format(time.DateOnly), start.AddDate(0, 0, 1).Format(time.DateOnly)
	const stock = 5
	for _, day := range []string{date, next} {
		k.must(t, "ma-xiuying", "PUT", "/canteen/api/v1/staff/menus/lakeside/"+day+"/lunch", map[string]any{"published": true, "items": []any{
			map[string]any{"dish": k.pork, "stock": stock}, map[string]any{"dish": k.rice, "stock": 1000},
		}}, nil)
	}
	for _, who := range []string{"wang-guihua", "li-qiang", "zhao-changshun"} {
		k.ask(t, "sun-li", "POST", "/accounts/api/v1/staff/top-ups", map[string]any{"person": k.ids[who], "amount": 3000}, nil)
	}
	standing := &standingModel{kitchen: k, days: []string{date, next}}
	var orders []meal
	lines := func(r *rapid.T) []any {
		return []any{
			map[string]any{"dish": k.pork, "portions": rapid.IntRange(1, 3).Draw(r, "pork")},
			map[string]any{"dish": k.rice, "portions": rapid.IntRange(1, 2).Draw(r, "rice")},
		}
	}
	order := func(r *rapid.T) string {
		for id, o := range k.listed(t) { // those that standing orders have made, too
			if !slices.ContainsFunc(orders, func(known meal) bool { return known.ID == id }) && slices.Contains(standing.days, o.Date) {
				orders = append(orders, o)
			}
		}
		slices.SortFunc(orders, func(a, b meal) int { return strings.Compare(a.ID, b.ID) })
		if len(orders) == 0 {
			r.Skip("no order yet")
		}
		return rapid.SampledFrom(orders).Draw(r, "order").ID
	}
	made := func(o meal, status int) {
		if status < 300 {
			orders = append(orders, o)
		}
	}
	actions := map[string]func(*rapid.T){
		"top up": func(r *rapid.T) {
			who := rapid.SampledFrom(eaters).Draw(r, "who")
			k.ask(t, "sun-li", "POST", "/accounts/api/v1/staff/top-ups", map[string]any{
				"person": k.ids[who.eater], "amount": rapid.Int64Range(100, 6000).Draw(r, "amount")}, nil)
		},
		"order": func(r *rapid.T) {
			who := rapid.SampledFrom(eaters).Draw(r, "who")
			var o meal
			status := k.ask(t, who.by, "POST", "/canteen/api/v1/orders", map[string]any{
				"canteen": "lakeside", "date": date, "meal": "lunch", "way": "PickUp", "lines": lines(r), "person": k.ids[who.eater],
				"payment": rapid.SampledFrom([]string{"Purse", "Purse", "Counter"}).Draw(r, "payment"),
				"payer":   k.ids[rapid.SampledFrom([]string{who.eater, who.by}).Draw(r, "payer")]}, &o)
			made(o, status)
		},
		"order at the counter": func(r *rapid.T) {
			var o meal
			made(o, k.ask(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders", map[string]any{
				"canteen": "lakeside", "date": date, "meal": "lunch", "way": "EatIn", "lines": lines(r)}, &o))
		},
		"change": func(r *rapid.T) {
			k.ask(t, "li-qiang", "PUT", "/canteen/api/v1/orders/"+order(r), map[string]any{"way": "EatIn", "lines": lines(r)}, nil)
		},
		"cancel": func(r *rapid.T) {
			id := order(r)
			for _, who := range eaters { // whoever it is whose order it is
				k.ask(t, who.by, "DELETE", "/canteen/api/v1/orders/"+id, nil, nil)
			}
		},
		"the kitchen": func(r *rapid.T) {
			what := rapid.SampledFrom([]string{"pay", "pay", "serve", "unserve", "cancel"}).Draw(r, "what")
			k.ask(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders/"+order(r)+"/"+what, nil, nil)
		},
		"time": func(r *rapid.T) {
			k.clock.Step(time.Duration(rapid.IntRange(1, 90).Draw(r, "minutes")) * time.Minute)
		},
		"a minute": func(*rapid.T) { k.clock.Step(time.Minute) },
		"": func(*rapid.T) {
			standing.check(t)
			for _, who := range []string{"wang-guihua", "li-qiang", "zhao-changshun", "chen-yutong"} {
				if p := k.purse(t, who); p.Balance < 0 || p.Held < 0 || p.Available != p.Balance-p.Held || p.Available < 0 {
					t.Fatalf("the purse of %s: %+v", who, p)
				}
			}
			k.await(t, func() string { return k.inStock(t, []string{date, next}, stock) })
		},
	}
	maps.Copy(actions, standing.actions(t))
	for _, first := range []string{"standing order", "standing order", "standing order", "standing order", "skip", "skip", "change standing order"} {
		actions[first](r)
	}
	r.Repeat(actions)
	// What is left of the day passes, and the morning of the next. The day after
	// that begins at seven.
	until := func(days, hour, minute int) {
		if at := time.Date(start.Year(), start.Month(), start.Day()+days, hour, minute, 0, 0, kitchenZone); at.After(k.clock.Now()) {
			k.clock.SetTime(at)
		}
	}
	for hour := range 3 {
		until(0, 23, 58+hour) // over midnight
		actions[""](r)
	}
	until(1, 8, 50)
	actions[""](r)
	k.settled(t, next)
	standing.end(t)
	until(2, 7, 0)
}

// await waits until nothing differs any more: the answer says what does.
func (k *kitchen) await(t *testing.T, differs func() string) {
	t.Helper()
	for over := time.Now().Add(20 * time.Second); ; {
		what := differs()
		if what == "" {
			return
		}
		if time.Now().After(over) {
			t.Fatal(what)
		}
	}
}

// inStock says what is wrong with the portions of some days, or with what is
// held for their orders.
func (k *kitchen) inStock(t *testing.T, days []string, stock int) string {
	var held, due int64
	for _, who := range []string{"wang-guihua", "li-qiang", "zhao-changshun", "chen-yutong"} {
		held += k.purse(t, who).Held
	}
	for _, day := range days {
		left, ordered := k.left(t, day), 0
		for _, o := range k.ordered(t, day) {
			ordered += o.portions(k.pork)
			if o.Payment == "Purse" && !o.Paid {
				due += o.Pays
			}
		}
		if left < 0 {
			t.Fatalf("%d portions are left on %s", left, day)
		}
		if left+ordered != stock {
			return fmt.Sprintf("%d portions are left of %d on %s, and %d ordered", left, stock, day, ordered)
		}
	}
	if held != due {
		return fmt.Sprintf("purses hold %d, and orders are to pay %d", held, due)
	}
	return ""
}

func (k *kitchen) left(t testing.TB, date string) int {
	t.Helper()
	var menus struct {
		Menus []struct {
			Items []struct {
				Dish struct{ ID string }
				Left int
			}
		}
	}
	k.must(t, "li-qiang", "GET", "/canteen/api/v1/menus/"+date, nil, &menus)
	for _, item := range menus.Menus[0].Items {
		if item.Dish.ID == k.pork {
			return item.Left
		}
	}
	t.Fatal("the dish is not on the menu")
	return 0
}

// ordered are the orders of a day that are for the kitchen.
func (k *kitchen) ordered(t testing.TB, date string) []meal {
	t.Helper()
	var listed struct{ Orders []meal }
	k.must(t, "ma-xiuying", "GET", "/canteen/api/v1/staff/orders?canteen=lakeside&meal=lunch&date="+date, nil, &listed)
	return listed.Orders
}

// portions is how many of a dish an order has.
func (m meal) portions(dish string) (n int) {
	for _, line := range m.Lines {
		if line.Dish == dish {
			n += line.Portions
		}
	}
	return n
}

// settled lets the day pass, until nothing is held, and compares what the
// canteen says of subsidies with what the ledger has.
func (k *kitchen) settled(t *testing.T, date string) {
	t.Helper()
	differs := ""
	now := k.clock.Now().In(kitchenZone)
	if cutOff := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, kitchenZone); now.Before(cutOff) {
		k.clock.SetTime(cutOff)
	}
	for over := time.Now().Add(time.Minute); ; {
		k.clock.Step(time.Minute)
		_, differs = k.report(t, "2026-11", "2026-12")
		for _, who := range []string{"wang-guihua", "li-qiang", "zhao-changshun", "chen-yutong"} {
			if p := k.purse(t, who); k.after(date, "09:10") && p.Held != 0 {
				differs = fmt.Sprintf("the purse of %s still holds %d", who, p.Held)
			}
		}
		if differs == "" && k.after(date, "09:10") {
			return
		}
		if time.Now().After(over) {
			t.Fatal(differs)
		}
	}
}

// after reports whether it is later than a time of a day.
func (k *kitchen) after(date, clock string) bool {
	now := k.clock.Now().In(kitchenZone).Format("2006-01-02 15:04")
	return now > date+" "+clock
}
