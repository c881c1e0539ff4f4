package linearizability

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/test/instance"
)

// 200 eaters are after the last 50 portions of a dish.
const (
	eaters      = 200
	portions    = 50
	dishPrice   = 1000 // fen
	canteenName = "lakeside"
	mealName    = "lunch"
	// daysAhead is how many days the meal is away when the orders begin: too
	// many for the cut-off to come, or the day to pass, while a test runs.
	daysAhead = 3
	// longBefore, as the days between cut-off and meal, lets the cut-off of
	// such a meal have come.
	longBefore = 7
)

// generations are the eaters by turns: their age, and what the tier of that age
// is subsidised with, in fen of the dish.
var generations = []struct{ age, subsidy int64 }{{40, 0}, {70, 250}, {90, 500}}

// kitchenCommunity has a canteen and purses. The orders of a meal end so many
// days before it.
func kitchenCommunity(cutOffDaysBefore int32) *v1alpha1.Community {
	sixty, eighty := int32(60), int32(80)
	return &v1alpha1.Community{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Community"},
		ObjectMeta: metav1.ObjectMeta{Name: "lunch", UID: "1c0b1a52-6a57-4a55-9c3e-2b8a1c0b1a52"},
		Spec: v1alpha1.CommunitySpec{
			ClassName: "fight", DisplayName: "食堂社区",
			Region:   v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
			TimeZone: timeZone, Phone: "0537-6210000",
			Managers: []v1alpha1.Manager{{Name: "manager", DisplayName: "管理员"}},
			Services: v1alpha1.Services{
				Accounts: &v1alpha1.Accounts{},
				Canteen: &v1alpha1.Canteen{
					ManagedBy: v1alpha1.ManagedByManifest,
					Tiers: []v1alpha1.Tier{
						{Name: "over-60", DisplayName: "60岁以上", MinAge: &sixty, DiscountPercent: 25},
						{Name: "over-80", DisplayName: "80岁以上", MinAge: &eighty, DiscountPercent: 50},
					},
					Canteens: []v1alpha1.CanteenPlace{{
						Name: canteenName, DisplayName: "湖畔食堂", MaxPortions: 6,
						Meals: []v1alpha1.Meal{{
							Name: mealName, DisplayName: "午餐", From: "11:00", To: "12:30", CutOff: "09:00", CutOffDaysBefore: cutOffDaysBefore,
							Ways: []v1alpha1.Way{v1alpha1.WayEatIn},
						}},
					}},
				},
			},
		},
	}
}

// kitchens are what portions are fought for on: the canteen and the purses run
// in processes of their own.
var kitchens = map[string]func(t *testing.T, c *v1alpha1.Community) *deployment{
	"SQLite, two processes": func(t *testing.T, c *v1alpha1.Community) *deployment {
		return onSQLite(t, c, []string{"canteen"}, besideTheCanteen(c))
	},
	"PostgreSQL, two processes each": func(t *testing.T, c *v1alpha1.Community) *deployment {
		return onPostgres(t, c, []string{"canteen"}, besideTheCanteen(c), []string{"canteen"}, besideTheCanteen(c))
	},
}

// besideTheCanteen are all other services of a community.
func besideTheCanteen(c *v1alpha1.Community) []string {
	return slices.DeleteFunc(v1alpha1.ServicesOn(&c.Spec), func(name string) bool { return name == "canteen" })
}

// caller is somebody who asks the API, through one replica at a time.
type caller struct {
	id, phone, token string
	number           int // tells callers apart
	http             *http.Client
	turn             int   // counts requests, which go to the replicas by turns
	sent             int64 // when the last request was sent
}

func newCaller(number int) *caller {
	return &caller{number: number, http: instance.Client(1), turn: number}
}

// eater is somebody with a purse who wants a portion.
type eater struct {
	*caller
	name          string
	rng           *rand.Rand
	pays, subsidy int64
	// order is the one that was acknowledged, cancelled and refused are those
	// that were acknowledged as that; orders counts those that were asked for.
	order     string
	cancelled []string
	refused   int
	orders    int

	// Of the mutex of lunch: what happened to the purse, and what was paid in.
	moves  []porcupine.Operation
	paidIn int64
}

// newLunch makes a community of eaters, and the menu with the portions. Some
// have nothing in their purses.
func newLunch(t *testing.T, d *deployment) *lunch {
	t.Helper()
	now := time.Now()
	l := &lunch{
		deployment: d, epoch: now, seed: *seed, left: map[string]int{},
		day: calendarOf(now).date(daysAhead),
	}
	if l.seed == 0 {
		l.seed = rand.Uint64()
	}
	t.Logf("seed %d; repeat with: go test ./test/linearizability -run %s -seed=%d", l.seed, t.Name(), l.seed)
	known, err := l.people().People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range known {
		if p.Account == managerAccount {
			l.manager = newCaller(eaters)
			l.manager.token = p.Token
		}
	}
	l.meet(t)
	l.cooks(t)
	l.together(t, func(e *eater) error {
		if e.poor() {
			return nil
		}
		return l.topUp(t.Context(), l.desk(e.number), e, 2*dishPrice)
	})
	return l
}

// people is a process that knows who is who.
func (l *lunch) people() *instance.Instance { return l.serving("residents")[0] }

// managerAccount is the demo person who manages, and works at the front desk.
const managerAccount = "zhou-jianguo"

// poor eaters have nothing in their purses at first.
func (e *eater) poor() bool { return e.number%10 == 0 }

// meet makes the community know the eaters, who say who they are, and charges a
// cook with the kitchen.
func (l *lunch) meet(t *testing.T) {
	t.Helper()
	table := [][]string{{"姓名", "手机号", "出生日期"}}
	line := func(c *caller, n int, name string, age int64) {
		c.phone = fmt.Sprintf("1390000%04d", n)
		table = append(table, []string{name, c.phone, fmt.Sprintf("%d-01-01", int64(l.epoch.Year())-age)})
	}
	const given = "安邦昌德恩芳刚海佳康"
	for i := range eaters {
		g := generations[i%len(generations)]
		e := &eater{
			caller: newCaller(i), rng: rand.New(rand.NewPCG(l.seed, uint64(i))), subsidy: g.subsidy, pays: dishPrice - g.subsidy,
			name: "赵" + string([]rune(given)[i/100]) + string([]rune(given)[i/10%10]) + string([]rune(given)[i%10]),
		}
		l.eaters = append(l.eaters, e)
		line(e.caller, i, e.name, g.age)
	}
	cook := &eater{caller: newCaller(eaters), name: "钱师傅"}
	l.cook = cook.caller
	line(l.cook, eaters, cook.name, 30)

	var file bytes.Buffer
	if err := csv.NewWriter(&file).WriteAll(table); err != nil {
		t.Fatal(err)
	}
	var draft struct{ ID string }
	l.must(t, l.manager, http.MethodPost, "/residents/api/v1/imports?filename=eaters.csv", file.Bytes(), &draft)
	l.must(t, l.manager, http.MethodPost, "/residents/api/v1/imports/"+draft.ID+"/confirm", map[string]any{"rest": "Add"}, nil)
	join := func(e *eater) (err error) {
		if e.token, err = l.people().Token(t.Context(), e.phone, false); err != nil {
			return err
		}
		if err := l.ok(t.Context(), e.caller, http.MethodPost, "/residents/api/v1/join", map[string]any{"name": e.name}, nil); err != nil {
			return err
		}
		var me struct{ ID string }
		err = l.ok(t.Context(), e.caller, http.MethodGet, "/residents/api/v1/me", nil, &me)
		e.id = me.ID
		return err
	}
	l.together(t, join)
	if err := join(cook); err != nil {
		t.Fatal(err)
	}
	l.must(t, l.manager, http.MethodPut, "/residents/api/v1/people/"+cook.id+"/duties", map[string]any{"duties": []string{"Kitchen"}}, nil)
	var err error
	if cook.token, err = l.people().Token(t.Context(), cook.phone, true); err != nil {
		t.Fatal(err)
	}
	for i := range desks {
		desk := newCaller(eaters + i)
		desk.token = l.manager.token
		l.desks = append(l.desks, desk)
	}
}

// cooks publishes the menu.
func (l *lunch) cooks(t *testing.T) {
	t.Helper()
	var dish struct{ ID string }
	l.must(t, l.cook, http.MethodPost, "/canteen/api/v1/staff/dishes", map[string]any{"name": "红烧肉", "kind": "Meat", "price": dishPrice}, &dish)
	l.dish = dish.ID
	l.must(t, l.cook, http.MethodPut, "/canteen/api/v1/staff/menus/"+canteenName+"/"+l.day+"/"+mealName, map[string]any{
		"published": true, "items": []any{map[string]any{"dish": l.dish, "stock": portions}},
	}, nil)
}

// together does something for all eaters, as many at a time as there are desks.
func (l *lunch) together(t *testing.T, do func(e *eater) error) {
	t.Helper()
	var all sync.WaitGroup
	failed := make([]error, desks)
	for i := range desks {
		all.Go(func() {
			for n := i; n < len(l.eaters) && failed[i] == nil; n += desks {
				failed[i] = do(l.eaters[n])
			}
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
}
