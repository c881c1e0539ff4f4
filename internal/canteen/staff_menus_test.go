package canteen

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

const (
	planLunch   = "/canteen/staff/menus/lakeside/2026-11-23/lunch"
	planTuesday = "/canteen/staff/menus/lakeside/2026-11-24/lunch"
)

// menu is the menu of a meal as it is kept.
func (s *site) menu(day, meal string) Menu {
	s.t.Helper()
	return must[Menu](s.t)(menuIn(s.t.Context(), s.db.Reader(), Sitting{"lakeside", date(s.t, day), meal}))
}

// plan is the form of a menu with some lines: dish, price, stock, most.
func plan(version int, action string, rows ...[4]string) url.Values {
	form := url.Values{"version": {strconv.Itoa(version)}, "action": {action}}
	for i, row := range rows {
		for j, field := range []string{"dish", "price", "stock", "most"} {
			form.Set(planField(field, i), row[j])
		}
	}
	return form
}

func TestPlanMenu(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	v.page("/canteen/staff/menus?week=2026-11-25", "11月23日这一周的菜单", "11月24日 星期二", "2 道菜", "已公布", "红烧肉、米饭", "还有 13 餐没有安排")
	page := v.page(planTuesday, "午餐 11月24日", "未安排", "荤菜 · 红烧肉 ¥18.00", "公布", "存为草稿")
	if n := strings.Count(page, "<fieldset"); n != spareRows {
		t.Errorf("%d lines", n)
	}
	rows := [][4]string{{s.rice, "", "50", ""}, {"", "", "", ""}, {s.pork, "１６．５元", "20", "2"}}
	v.page(v.sent(planTuesday, plan(0, "draft", rows...)), "已存为草稿", "草稿")
	m := s.menu("2026-11-24", "lunch")
	if len(m.Items) != 2 || !m.PublishedAt.IsZero() || m.Items[0].Dish.Name != "米饭" || m.Items[0].Price != 200 || m.Items[1].Price != 1650 ||
		m.Items[1].Stock != 20 || m.Items[1].MaxPerOrder != 2 {
		t.Errorf("%+v", m)
	}
	status, _, page := v.open(planTuesday, plan(m.Version, "more", rows...))
	if n := strings.Count(page, "<fieldset"); status != http.StatusOK || n != 2+spareRows {
		t.Errorf("more lines: status %d, %d lines", status, n)
	}
	v.page(v.sent(planTuesday, plan(m.Version, "publish", rows...)), "已保存并公布")
	if m = s.menu("2026-11-24", "lunch"); m.PublishedAt.IsZero() {
		t.Error("it was not published")
	}
	for text, form := range map[string]url.Values{
		"至少要有一道菜":      plan(m.Version, "publish"),
		"这道菜选了两次":      plan(m.Version, "draft", [4]string{s.pork, "", "1", ""}, [4]string{s.pork, "", "1", ""}),
		"单价请填":         plan(m.Version, "draft", [4]string{s.pork, "很贵", "1", ""}),
		"备餐份数请填 0 到 1": plan(m.Version, "draft", [4]string{s.pork, "", "", ""}),
		"每单最多请填":       plan(m.Version, "draft", [4]string{s.pork, "", "1", "-1"}),
		"这道菜已经没有了":     plan(m.Version, "draft", [4]string{"6f3f0a58-0000-7000-8000-000000000000", "", "1", ""}),
	} {
		status, _, page := v.open(planTuesday, form)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	if status, _, _ := v.open("/canteen/staff/menus/lakeside/2026-11-24/brunch", nil); status != http.StatusNotFound {
		t.Errorf("a meal that there is not: %d", status)
	}
}

// TestPlanStale: of two who change a menu, the second is told, sees what the
// first did, keeps what was typed, and can save it after all.
func TestPlanStale(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	v.sent(planTuesday, plan(0, "draft", [4]string{s.rice, "", "50", ""}))
	status, _, page := v.open(planTuesday, plan(0, "publish", [4]string{s.pork, "17", "9", ""}))
	if status != http.StatusConflict {
		t.Errorf("status %d", status)
	}
	v.has(page, "别人刚刚修改了这份菜单", "米饭 ¥2.00 备 50 份")
	for _, typed := range []string{`value="17"`, `value="9"`, `name="version" value="1"`} {
		if !strings.Contains(page, typed) {
			t.Errorf("the form has no %s", typed)
		}
	}
	v.sent(planTuesday, plan(1, "publish", [4]string{s.pork, "17", "9", ""}))
	if m := s.menu("2026-11-24", "lunch"); len(m.Items) != 1 || m.Items[0].Dish.Name != "红烧肉" {
		t.Errorf("%+v", m)
	}
}

// TestPlanInUse: what was ordered cannot be taken away, and the page says what
// stands in the way.
func TestPlanInUse(t *testing.T) {
	s := startSite(t)
	s.guest("老周", v1alpha1.WayPickUp, "")
	s.guest("老吴", v1alpha1.WayPickUp, "")
	v := s.visitor(cook)
	v.page(planLunch, "已订 2 份", "改回草稿")
	version := s.menu("2026-11-23", "lunch").Version
	for text, form := range map[string]url.Values{
		"“红烧肉”已订出 2 份，不能从菜单去掉":  plan(version, "publish", [4]string{s.rice, "", "50", ""}),
		"“红烧肉”已订出 2 份，备餐份数不能更少": plan(version, "publish", [4]string{s.pork, "", "1", ""}),
		"不能改回草稿": plan(version, "draft", [4]string{s.pork, "", "20", ""}),
	} {
		status, _, page := v.open(planLunch, form)
		if status != http.StatusConflict {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	if m := s.menu("2026-11-23", "lunch"); m.Version != version {
		t.Error("the menu was changed all the same")
	}
}

func TestCopyWeek(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	to := v.sent("/canteen/staff/menus/lakeside/copy-week", url.Values{"week": {"2026-12-02"}})
	v.page(to, "已复制 1 份菜单", "11月30日 星期一 2 道菜")
	if m := s.menu("2026-11-30", "lunch"); len(m.Items) != 2 || !m.PublishedAt.IsZero() {
		t.Errorf("%+v", m)
	}
	v.page(v.sent("/canteen/staff/menus/lakeside/copy-week", url.Values{"week": {"2026-12-02"}}), "已复制 0 份菜单")
	if status, _, _ := v.open("/canteen/staff/menus/lakeside/copy-week", url.Values{"week": {"soon"}}); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
}

// TestWeekOfMeals: a meal that the canteen has no more is still to be seen
// where it was planned, and closed days are not to be planned.
func TestWeekOfMeals(t *testing.T) {
	place := lakeside()
	place.ClosedDates = []string{"2026-11-25"}
	c := must[Canteen](t)(ParseCanteen(place))
	monday := date(t, "2026-11-23")
	v := menusView{Canteen: c, Monday: monday}
	v.fill([]Menu{{Sitting: Sitting{"lakeside", monday, "brunch"}, Version: 1}}, civil.Date{Year: 2026, Month: 11, Day: 24})
	if len(v.Meals) != 3 || v.Days[0].Menus[2].Version != 1 || v.Days[1].Menus[2].Serves || v.Days[2].Menus[0].Serves || v.Unplanned != 2*5 {
		t.Errorf("%d unplanned: %+v", v.Unplanned, v)
	}
}
