package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/linli-io/linli/api/v1alpha1"
)

// TestSaveCanteen: two who change a canteen do not overwrite each other, and
// what was ordered is not taken away.
func TestSaveCanteen(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, by := t.Context(), By{Actor: "manager", Now: moment(t, sunday)}
		read := func() Canteen { return must[Canteen](t)(w.Canteen(ctx, "lakeside")) }
		before := read()
		spec := *before.DeepCopy()
		spec.DisplayName, spec.Meals[0].DisplayName = "新湖畔", "中饭"
		if err := w.SaveCanteen(ctx, by, spec, before.Version); err != nil {
			t.Fatal(err)
		}
		if err := w.SaveCanteen(ctx, by, before.CanteenPlace, before.Version); !errors.Is(err, ErrStale) {
			t.Errorf("over somebody else's change: %v", err)
		}
		after := read()
		if after.DisplayName != "新湖畔" || after.Version != before.Version+1 {
			t.Errorf("%+v", after)
		}
		if meal := must[string](t)(mealName(ctx, w.db.Reader(), lunch(t))); meal != "中饭" {
			t.Errorf("the meal is called %q", meal)
		}
		if err := w.SaveCanteen(ctx, by, spec, 0); !errors.Is(err, ErrTaken) {
			t.Errorf("another of the name: %v", err)
		}
		// The community keeps its canteens: the manifest changes nothing any more.
		if err := w.SyncCanteens(ctx, v1alpha1.ManagedByCommunity, []v1alpha1.CanteenPlace{lakeside()}, by.Now); err != nil {
			t.Fatal(err)
		}
		if read().DisplayName != "新湖畔" {
			t.Error("the manifest has changed what the community keeps")
		}

		w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
		o := w.mustPlace(t, w.wanted(t, "li", PayCounter, 1, 0))
		without, closed := *after.DeepCopy(), *after.DeepCopy()
		without.Meals = without.Meals[1:]
		closed.ClosedDates = []string{"2026-11-23"}
		ahead := func(n int, what string, err error) {
			t.Helper()
			if got, ok := errors.AsType[*OrdersAhead](err); !ok || got.Orders != n {
				t.Errorf("%s: %v, want %d orders ahead", what, err, n)
			}
		}
		ahead(2, "without the meal", w.SaveCanteen(ctx, by, without, after.Version))
		ahead(2, "closed on the day", w.SaveCanteen(ctx, by, closed, after.Version))
		ahead(2, "retired", w.RetireCanteen(ctx, by, "lakeside", true))
		staff := Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: by.Now, Location: shanghai}
		must[Order](t)(w.Cancel(ctx, staff))
		ahead(1, "retired", w.RetireCanteen(ctx, by, "lakeside", true))
		for _, order := range must[[]Order](t)(w.OrdersOf(ctx, lunch(t))) {
			staff.ID = order.ID
			must[Order](t)(w.Serve(ctx, staff))
		}
		if err := w.RetireCanteen(ctx, by, "lakeside", true); err != nil {
			t.Fatal(err)
		}
		if list := must[[]Canteen](t)(w.Canteens(ctx)); len(list) != 0 {
			t.Errorf("retired: %+v", list)
		}
		_, _, err := w.Place(ctx, w.wanted(t, "zhao", PayCounter, 1, 0))
		wantRule(t, err, RuleUnknownSitting)
		if err := w.RetireCanteen(ctx, by, "lakeside", false); err != nil {
			t.Fatal(err)
		}
		w.mustPlace(t, w.wanted(t, "zhao", PayCounter, 1, 0))
		if err := w.RetireCanteen(ctx, by, "nowhere", true); !errors.Is(err, ErrNotFound) {
			t.Errorf("one that there is not: %v", err)
		}
	})
}

// place is the form of a canteen with a meal.
func placeForm(pairs ...string) url.Values {
	return with(url.Values{
		"displayName": {"河边食堂"}, "name": {"riverside"}, "maxPortions": {"4"}, "meal-displayName": {"早餐"}, "meal-name": {"breakfast"},
		"meal-from": {"07:00"}, "meal-to": {"08:30"}, "meal-cutOff": {"20:00"}, "meal-cutOffDaysBefore": {"1"}, "meal-days": {"Monday", "Friday"}, "meal-ways": {"PickUp"},
	}, pairs...)
}

// TestCanteenPages: a manager adds and changes a canteen and its meals; what is
// wrong is said beside the field, and what was typed stays.
func TestCanteenPages(t *testing.T) {
	s := startSite(t)
	m := s.visitor(manager)
	if status, _, _ := s.visitor(cook).open(staffCanteensPath, nil); status != http.StatusForbidden {
		t.Errorf("a cook: status %d", status)
	}
	m.page(staffCanteensPath, "湖畔食堂", "午餐 11:00–12:30", "新设食堂")
	m.page(staffCanteensPath+"new", "第一个餐次")
	for text, form := range map[string]url.Values{
		"只用小写字母":        placeForm("name", "河边"),
		"只用小写字母、":       placeForm("name", "new"),
		"已经有这个简称":       placeForm("name", "lakeside"),
		"请填写名称":         placeForm("displayName", " "),
		"请填1到50":        placeForm("maxPortions", "0"),
		"“明天”不是日期":      placeForm("closedDates", "2027-02-06\n明天"),
		"要晚于开餐时间":       placeForm("meal-to", "07:00"),
		"不能晚于结束时间":      placeForm("meal-cutOffDaysBefore", "0"),
		"请填0到7":         placeForm("meal-cutOffDaysBefore", "8"),
		"请填时间，例如 11:00": placeForm("meal-from", "七点"),
		"没有送餐的小区":       placeForm("meal-ways", "Delivery"),
		"请至少选一种":        placeForm("meal-ways", ""),
	} {
		status, _, page := m.open(staffCanteensPath+"new", form)
		if want := map[bool]int{true: 409, false: 422}[form.Get("name") == "lakeside"]; status != want || !strings.Contains(page, `value="早餐"`) {
			t.Errorf("%s: status %d", text, status)
		}
		m.has(page, text)
	}
	to := m.sent(staffCanteensPath+"new", placeForm("closedDates", "2027-02-07，2027-02-06 2027-02-06", "deliveryEstates", "zhanqian-huayuan"))
	m.page(to, "已保存", "河边食堂", "早餐 07:00–08:30")
	kept := func(name string) Canteen { return must[Canteen](t)((&Store{db: s.db}).Canteen(t.Context(), name)) }
	if c := kept("riverside"); !slices.Equal(c.ClosedDates, []string{"2027-02-06", "2027-02-07"}) || c.MaxPortions != 4 || len(c.Meals[0].Days) != 2 ||
		c.Meals[0].CutOffDaysBefore != 1 || !slices.Equal(c.DeliveryEstates, []string{"zhanqian-huayuan"}) {
		t.Errorf("%+v", c)
	}
	const river = staffCanteensPath + "riverside"
	m.page(river, "河边食堂", "添加餐次", "停用这个食堂")
	m.page(m.sent(river, placeForm("version", "1", "description", "河边一号")), "已保存", "河边一号")
	status, _, page := m.open(river, placeForm("version", "1", "displayName", "别的名字"))
	if status != http.StatusConflict || !strings.Contains(page, `value="别的名字"`) || !strings.Contains(page, `name="version" value="2"`) {
		t.Errorf("a lost update: status %d", status)
	}
	m.has(page, "别人刚刚修改了")
	meal := placeForm("version", "2", "meal-name", "supper", "meal-displayName", "晚餐", "meal-from", "17:00", "meal-to", "18:30")
	m.page(river+"/meals/new", "添加餐次")
	m.page(m.sent(river+"/meals/new", meal), "晚餐 17:00–18:30")
	if status, _, _ := m.open(river+"/meals/new", with(meal, "version", "3")); status != http.StatusUnprocessableEntity {
		t.Errorf("a meal twice: %d", status)
	}
	m.page(river+"/meals/supper", "取消这个餐次")
	m.page(m.sent(river+"/meals/supper", with(meal, "version", "3", "meal-displayName", "夜宵")), "夜宵")
	m.hasNot(m.page(m.sent(river+"/meals/supper/remove", url.Values{})), "夜宵")
	if status, _, page := m.open(river+"/meals/breakfast/remove", url.Values{}); status != http.StatusUnprocessableEntity {
		t.Errorf("the last meal: %d\n%s", status, said(page))
	}

	s.lis(v1alpha1.WayPickUp)
	const lake = staffCanteensPath + "lakeside"
	status, _, page = m.open(lake+"/retire", url.Values{})
	if status != http.StatusConflict {
		t.Errorf("retired with orders ahead: %d", status)
	}
	m.has(page, "还有1份订餐没有出餐", "取消或出餐")
	status, _, page = m.open(lake+"/meals/lunch/remove", url.Values{})
	if status != http.StatusConflict {
		t.Errorf("a meal with orders ahead: %d", status)
	}
	m.has(page, "还有1份订餐没有出餐")
	m.page(m.sent(river+"/retire", url.Values{}), "食堂已停用", "恢复使用")
	m.page(m.sent(river+"/restore", url.Values{}), "食堂已恢复使用")
	// What the manager calls a meal residents read everywhere.
	c := kept("lakeside")
	lunchForm := with(placeForm("version", "1"), "meal-displayName", "中饭", "meal-from", "11:00", "meal-to", "12:30", "meal-cutOff", "09:00", "meal-cutOffDaysBefore", "0")
	m.sent(lake+"/meals/lunch", lunchForm)
	s.visitor("").page("/canteen/", "中饭 · "+c.DisplayName)
}

// TestCanteensOfTheManifest: where the county keeps the canteens, managers see
// them and cannot change them.
func TestCanteensOfTheManifest(t *testing.T) {
	r := startPages(t)
	m := r.browser(t, "zhou-jianguo")
	m.hasNot(m.page(staffCanteensPath, "湖畔食堂", "由县里在清单中统一管理"), "新设食堂")
	m.page(staffCanteensPath+"lakeside", "disabled", "由县里在清单中统一管理")
	m.page(staffCanteensPath+"lakeside/meals/lunch", "disabled")
	for _, path := range []string{"new", "lakeside", "lakeside/retire", "lakeside/restore", "lakeside/meals/new", "lakeside/meals/lunch", "lakeside/meals/lunch/remove"} {
		if status, _, _ := m.open(staffCanteensPath+path, placeForm()); status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, status)
		}
	}
}
