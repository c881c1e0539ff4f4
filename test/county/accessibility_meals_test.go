package county

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// meals are what there is on the pages of the canteen.
type meals struct {
	// sitting is a lunch that can still be ordered, as its address has it; other
	// one of another day; order is the resident's, dish one of its dishes.
	sitting, other sitting
	// today is today's lunch.
	today       sitting
	order, dish string
	// standing is the resident's standing order.
	standing string
	// eaten is an order of the resident's that was handed out and rated.
	eaten string
	// suggestion is the resident's.
	suggestion string
	// supplier and batch are of the kitchen's ingredients.
	supplier, batch string
}

// sitting is a meal of a day.
type sitting struct{ canteen, date, meal string }

func (s sitting) path() string { return strings.Join([]string{s.canteen, s.date, s.meal}, "/") }

func (s sitting) query() string {
	return url.Values{"canteen": {s.canteen}, "date": {s.date}, "meal": {s.meal}}.Encode()
}

// furnishMeals orders a meal.
func (f *furnished) furnishMeals(t *testing.T) {
	t.Helper()
	do := func(who, path string, in, out any) {
		t.Helper()
		method := "POST"
		if in == nil {
			method = "GET"
		}
		if res := call(t, method, f.base+path, county.token(t, "zhanqian", who), in, out); res.StatusCode >= 300 {
			t.Fatalf("%s: %s", path, res.Status)
		}
	}
	day := func(days int) string { return time.Now().In(shanghai).AddDate(0, 0, days).Format(time.DateOnly) }
	f.meals.sitting, f.meals.other = sitting{"xiaoxian", day(5), "lunch"}, sitting{"xiaoxian", day(6), "lunch"}
	f.meals.today = sitting{"xiaoxian", day(0), "lunch"}
	var menus struct {
		Menus []struct {
			Items []struct{ Dish struct{ ID string } }
		}
	}
	do(resident, "/canteen/api/v1/menus/"+f.meals.sitting.date, nil, &menus)
	if len(menus.Menus) == 0 {
		t.Fatalf("nothing is cooked on %s", f.meals.sitting.date)
	}
	f.meals.dish = menus.Menus[0].Items[0].Dish.ID
	var made struct{ ID string }
	s := f.meals.sitting
	do(resident, "/canteen/api/v1/orders", map[string]any{
		"canteen": s.canteen, "date": s.date, "meal": s.meal, "way": "PickUp", "wish": "少放点盐，多给一勺汤",
		"lines": []any{map[string]any{"dish": f.meals.dish, "portions": 2}},
	}, &made)
	f.meals.order = made.ID
	do(resident, "/canteen/api/v1/standing-orders", map[string]any{
		"canteen": s.canteen, "meal": s.meal, "way": "PickUp", "wish": "少放点盐", "from": day(3), // long after these tests
		"weekdays": []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"},
		"dishes":   map[string]any{"kinds": []string{"Meat", "Vegetable", "Staple"}, "avoid": []string{"Peanuts"}, "prefer": []string{"Soft"}},
	}, &made)
	f.meals.standing = made.ID
	if res := call(t, "PUT", f.base+"/canteen/api/v1/standing-orders/"+made.ID+"/skip-days", county.token(t, "zhanqian", resident), map[string]any{"days": []string{day(6), day(7), day(8)}}, nil); res.StatusCode >= 300 {
		t.Fatalf("skipping days: %s", res.Status)
	}
	var stock struct {
		Batches []struct{ ID, Supplier string }
	}
	do(cook, "/canteen/api/v1/staff/batches?text="+url.QueryEscape("大米"), nil, &stock)
	if len(stock.Batches) == 0 {
		t.Fatal("the kitchen has no rice")
	}
	f.meals.batch, f.meals.supplier = stock.Batches[0].ID, stock.Batches[0].Supplier
}

// furnishFeedback has the resident eat something and say how it was.
func (f *furnished) furnishFeedback(t *testing.T) {
	t.Helper()
	do := func(method, who, path string, in, out any) {
		t.Helper()
		if res := call(t, method, f.base+"/canteen/api/v1"+path, county.token(t, "zhanqian", who), in, out); res.StatusCode >= 300 {
			t.Fatalf("%s: %s", path, res.Status)
		}
	}
	s := f.meals.sitting
	s.date = time.Now().In(shanghai).AddDate(0, 0, 4).Format(time.DateOnly)
	var menus struct {
		Menus []struct {
			Items []struct{ Dish struct{ ID string } }
		}
	}
	do("GET", resident, "/menus/"+s.date, nil, &menus)
	var made struct{ ID string }
	dish := menus.Menus[0].Items[0].Dish.ID
	do("POST", resident, "/orders", map[string]any{
		"canteen": s.canteen, "date": s.date, "meal": s.meal, "way": "PickUp", "lines": []any{map[string]any{"dish": dish, "portions": 1}},
	}, &made)
	do("POST", manager, "/staff/orders/"+made.ID+"/serve", nil, nil)
	do("PUT", resident, "/orders/"+made.ID+"/ratings/"+dish, map[string]any{"stars": 2, "line": "今天的菜有点咸，老人吃不惯，希望下次少放盐"}, nil)
	f.meals.eaten = made.ID
	do("POST", resident, "/suggestions", map[string]any{"title": "荠菜鲜肉馄饨", "text": "皮薄一点，冬天早上吃"}, &made)
	f.meals.suggestion = made.ID
}

// mealPages are those of residents.
func (f furnished) mealPages() []page {
	standing := "/canteen/standing/" + f.meals.standing
	order, forMe := "/canteen/orders/"+f.meals.order, "/canteen/order?"+f.meals.other.query()+"&for="+f.person
	return []page{
		{name: "menu", path: "/canteen/"},
		{name: "menu-of-a-day", path: "/canteen/?date=" + f.meals.sitting.date},
		{name: "menu-week", path: "/canteen/week"},
		{name: "menu-door", path: "/canteen/door?canteen=xiaoxian&date=" + f.meals.sitting.date},
		{name: "meal-for-whom", path: "/canteen/order?" + f.meals.other.query()},
		{name: "meal-order", path: forMe},
		{name: "meal-order-mistakes", path: forMe, then: func(p *person) {
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "meal-orders", path: "/canteen/orders"},
		{name: "meal-order-of-mine", path: order},
		{name: "meal-change", path: order + "/change"},
		{name: "meal-cancel", path: order + "/cancel"},
		{name: "suggestions", path: "/canteen/suggestions"},
		{name: "suggestion-new", path: "/canteen/suggestions/new"},
		{name: "suggestion-mistakes", path: "/canteen/suggestions/new", then: func(p *person) {
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "meal-rated", path: "/canteen/orders/" + f.meals.eaten},
		{name: "meal-rate", path: "/canteen/orders/" + f.meals.eaten + "/rate"},
		{name: "standing-orders", path: "/canteen/standing"},
		{name: "standing-new", path: "/canteen/standing/new"},
		{name: "standing-mistakes", path: "/canteen/standing/new", then: func(p *person) {
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "standing", path: standing + "?done=skipped&cancelled=1&late=1"},
		{name: "standing-change", path: standing + "/change"},
		{name: "standing-change-mistakes", path: standing + "/change", then: func(p *person) {
			p.do(chromedp.SetValue(`//main//input[@name="until"]`, "2026-01-01"))
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "standing-end", path: standing + "/end"},
	}
}

// kitchenPages are those of the kitchen, the counter and the managers.
func (f furnished) kitchenPages() []page {
	staff := "/canteen/staff/"
	return []page{
		{name: "kitchen", path: staff},
		{name: "kitchen-meal", path: staff + "meals/" + f.meals.sitting.path()},
		{name: "kitchen-print", path: staff + "meals/" + f.meals.sitting.path() + "/print"},
		{name: "kitchen-order", path: staff + "orders/" + f.meals.order},
		{name: "kitchen-cancel", path: staff + "orders/" + f.meals.order + "/cancel"},
		{name: "counter-order", path: staff + "order?" + f.meals.sitting.query()},
		{name: "counter-standing", path: staff + "standing?q=王"},
		{name: "counter-standing-of", path: staff + "standing?person=" + f.person},
		{name: "counter-standing-change", path: staff + "standing/" + f.meals.standing + "/change"},
		{name: "menus", path: staff + "menus"},
		{name: "menu-plan", path: staff + "menus/" + f.meals.sitting.path()},
		{name: "dishes", path: staff + "dishes/"},
		{name: "dish-new", path: staff + "dishes/new"},
		{name: "dish-mistakes", path: staff + "dishes/new", then: func(p *person) {
			p.do(chromedp.SetValue(`//main//input[@name="price"]`, "很贵"))
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "dish", path: staff + "dishes/" + f.meals.dish},
		{name: "feedback", path: staff + "feedback?dish=" + f.meals.dish},
		{name: "suggestions-staff", path: staff + "suggestions/"},
		{name: "suggestion-answer", path: staff + "suggestions/" + f.meals.suggestion},
		{name: "suggestion-author", path: staff + "suggestions/" + f.meals.suggestion + "/author"},
		{name: "canteens", path: staff + "canteens/"},
		{name: "canteen-new", path: staff + "canteens/new"},
		{name: "canteen", path: staff + "canteens/" + f.meals.sitting.canteen},
		{name: "canteen-meal-new", path: staff + "canteens/" + f.meals.sitting.canteen + "/meals/new"},
		{name: "canteen-meal", path: staff + "canteens/" + f.meals.sitting.canteen + "/meals/" + f.meals.sitting.meal},
		{name: "feedback-all", path: staff + "feedback"},
		{name: "feedback-months", path: staff + "feedback/months"},
		{name: "feedback-order", path: staff + "feedback/orders/" + f.meals.eaten},
		{name: "safety", path: staff + "safety/"},
		{name: "safety-meal", path: staff + "safety/meals/" + f.meals.today.path()},
		{name: "safety-meal-ahead", path: staff + "safety/meals/" + f.meals.sitting.path()},
		{name: "suppliers", path: staff + "safety/suppliers/"},
		{name: "supplier-new", path: staff + "safety/suppliers/new"},
		{name: "supplier", path: staff + "safety/suppliers/" + f.meals.supplier},
		{name: "batches", path: staff + "safety/batches/"},
		{name: "batch-new", path: staff + "safety/batches/new"},
		{name: "batch-mistakes", path: staff + "safety/batches/new", then: func(p *person) {
			p.clickAt(`//main//form[@method="post"]//button`)
		}},
		{name: "batch", path: staff + "safety/batches/" + f.meals.batch},
		{name: "samples", path: staff + "safety/samples"},
		{name: "checks", path: staff + "safety/checks/xiaoxian/" + f.meals.today.date},
		{name: "checks-before", path: staff + "safety/checks/xiaoxian/2026-01-05"},
		{name: "checks-month", path: staff + "safety/checks/xiaoxian"},
		{name: "trace", path: staff + "safety/trace"},
		{name: "trace-batch", path: staff + "safety/trace?batch=" + f.meals.batch},
		{name: "trace-order", path: staff + "safety/trace?order=" + f.meals.order},
		{name: "subsidies", path: staff + "subsidies"},
		{name: "category", path: staff + "categories/low-income"},
	}
}
