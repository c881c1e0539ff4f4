package canteen

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/web"
)

// standingFor is the form of the staff for somebody's lunch every weekday.
func (s *site) standingFor(account string) url.Values {
	return url.Values{
		"person": {hosttest.PersonID(s.t, account)}, "key": {uuid.NewString()}, "meal": {"lakeside/lunch"}, "weekdays": {"Monday", "Tuesday", "Friday"}, "from": {"2026-11-24"},
		"kinds": {"Meat", "Staple"}, "avoid": {"Peanuts"}, "way": {"PickUp"}, "payment": {payCounter},
	}
}

// standing makes a standing order for somebody, and returns its ID.
func (s *site) standing(account string) string {
	s.t.Helper()
	s.visitor(cook).sent(staffStandingPath, s.standingFor(account))
	var rows []standingRow
	if err := s.db.Reader().NewSelect().Model(&rows).Order("id DESC").Limit(1).Scan(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return rows[0].ID.String()
}

// TestStandingAtCounter: somebody without a phone has one made, days skipped,
// and it ended.
func TestStandingAtCounter(t *testing.T) {
	s := startSite(t)
	v := s.visitor(desker)
	v.page(staffStandingPath+"?q="+url.QueryEscape("赵长顺"), "赵长顺")
	v.page(staffStandingPath+"?q="+url.QueryEscape("没有人"), "只能为有档案的居民设")
	page := v.page(staffStandingURL(hosttest.PersonID(t, "zhao-changshun")), "赵长顺的长期订餐", "设长期订餐")
	v.hasNot(page, "结束长期订餐")
	form := s.standingFor("zhao-changshun")
	to := v.sent(staffStandingPath, form)
	if again := v.sent(staffStandingPath, form); again != to {
		t.Errorf("sent twice: %s and %s", to, again)
	}
	page = v.page(to, "设好了", "星期一、星期二、星期五", "2026年11月24日起", "不含：花生", "结束长期订餐")
	if n := strings.Count(page, "/skip\""); n != 1 {
		t.Errorf("%d standing orders", n)
	}
	id := regexp.MustCompile(`/staff/standing/([^/]+)/skip`).FindStringSubmatch(page)[1]
	v.page(v.sent(staffStandingPath+"/"+id+"/skip", url.Values{"away-from": {"2026-11-30"}, "away-until": {"2026-12-05"}}), "跳过：11月30日、12月1日、12月4日")
	if status, _, page := v.open(staffStandingPath+"/"+id+"/skip", url.Values{"away-from": {""}}); status != http.StatusUnprocessableEntity {
		t.Errorf("no day: %d: %s", status, said(page))
	}
	v.hasNot(v.page(v.sent(staffStandingPath+"/"+id+"/end", url.Values{}), "已结束"), "星期一、星期二、星期五")
	o := must[Standing](t)(standingIn(t.Context(), s.db.Reader(), idOf(id)))
	zhao := hosttest.PersonID(t, "zhao-changshun")
	if o.Eater != zhao || o.OrderedBy != zhao || o.Ending != EndedByStaff {
		t.Errorf("%+v", o)
	}
	form.Set("person", "")
	if status, _, _ := v.open(staffStandingPath, form); status != http.StatusBadRequest {
		t.Errorf("for nobody: %d", status)
	}
}

// standingForm is what the page's form would send, as it stands.
func (b browser) standingForm(path string) url.Values {
	b.t.Helper()
	page := b.page(path)
	form := b.form(page)
	for _, m := range regexp.MustCompile(`<input[^>]* type="checkbox"[^>]*>`).FindAllString(page, -1) {
		if strings.Contains(m, " checked") {
			form.Add(regexp.MustCompile(` name="([^"]+)"`).FindStringSubmatch(m)[1], regexp.MustCompile(` value="([^"]+)"`).FindStringSubmatch(m)[1])
		}
	}
	for _, m := range regexp.MustCompile(`<input value="([^"]*)"[^>]*>`).FindAllStringSubmatch(page, -1) {
		form.Set(regexp.MustCompile(` name="([^"]+)"`).FindStringSubmatch(m[0])[1], html.UnescapeString(m[1]))
	}
	return form
}

// eventually opens a page until it has a text: what happens in the background
// takes a moment.
func (b browser) eventually(path, text string) string {
	b.t.Helper()
	for over := time.Now().Add(20 * time.Second); ; {
		_, _, page := b.open(path, nil)
		if strings.Contains(page, text) {
			return page
		}
		if time.Now().After(over) {
			b.t.Fatalf("the page has no %q:\n%s", text, readable(page))
		}
		b.server.clock.Step(time.Second)
	}
}

// TestStandingJourney: from an order to one for every week, which is placed by
// itself, skipped, wanted after all, paused, and ended.
func TestStandingJourney(t *testing.T) {
	r := startPages(t)
	r.topUp(t, "zhao-changshun", "100")
	zhao := r.browser(t, "zhao-changshun")
	zhao.page("/canteen/standing", "还没有长期订餐")
	own := zhao.orderedFrom(orderLunch(t, "zhao-changshun"), r.porkField(), "1", "wish", "饭软一点")
	page := zhao.page(own, "每个星期一都这样订")
	like := html.UnescapeString(regexp.MustCompile(`href="(/canteen/standing/new[^"]*)"`).FindStringSubmatch(page)[1])
	form := zhao.standingForm(like)
	for field, want := range map[string]string{"weekdays": "Monday", "meal": "lakeside/lunch", "kinds": "Meat", "way": "EatIn", "wish": "饭软一点", "payment": payOwn, "from": "2026-11-23"} {
		if form.Get(field) != want {
			t.Errorf("the form begins with %s %q, want %q", field, form.Get(field), want)
		}
	}
	zhao.send(own+"/cancel", url.Values{})
	location := zhao.send(standingNewPath, form)
	if again := zhao.send(standingNewPath, form); again != location {
		t.Errorf("sent twice: %s and %s", location, again)
	}
	standing, _, _ := strings.Cut(location, "?")
	zhao.page(location, "设好了", "午餐 · 湖畔食堂", "星期一", "饭软一点", "我的钱包", "各一份：荤菜", "11月30日 星期一", "出了菜单就订")
	zhao.page("/canteen/standing", "午餐 · 湖畔食堂", "进行中")
	if status, _, _ := r.browser(t, "li-qiang").open(standing, nil); status != http.StatusNotFound {
		t.Errorf("somebody else's: %d", status)
	}

	// It is placed by itself.
	page = zhao.eventually(standing, ordersPath+"/")
	zhao.has(page, "跳过这天", "¥13.50")
	order := regexp.MustCompile(`href="(/canteen/orders/[^"]+)"`).FindStringSubmatch(page)[1]
	zhao.hasNot(zhao.eventually(order, "钱包里已留好"), "每个星期一都这样订")
	zhao.page(order, "由长期订餐自动订的", standing)

	zhao.page(zhao.send(standing+"/skip", url.Values{"away-from": {"2026-11-23"}, "away-until": {"2026-12-01"}}), "这些日子不订", "1餐也取消了", "还是要订")
	zhao.page(order, "已取消")
	zhao.page(zhao.send(standing+"/want", url.Values{"day": {"2026-11-23"}}), "这一天照订")
	page = zhao.eventually(standing, ordersPath+"/")
	zhao.hasNot(page, order)

	zhao.page(zhao.send(standing+"/pause", url.Values{}), "现在暂停着", "恢复")
	zhao.page(zhao.send(standing+"/resume", url.Values{}), "进行中")
	zhao.page(standing+"/end", "要结束这个长期订餐吗", "不，保留")
	page = zhao.page(zhao.send(standing+"/end", url.Values{}), "已结束", "红烧肉 × 1")
	zhao.hasNot(page, "跳过这天", "出门几天")
	zhao.page("/canteen/standing", "已结束的")
	zhao.sees(http.StatusConflict, standing+"/pause", url.Values{}, "已经结束")
}

func TestStandingMistakes(t *testing.T) {
	r := startPages(t)
	zhao := r.browser(t, "zhao-changshun")
	form := zhao.standingForm(standingNewPath)
	for name, c := range map[string]struct {
		pairs []string
		texts []string
	}{
		"nothing chosen": {nil, []string{"请选星期几", `href="#weekdays"`, "请至少选一类菜", `href="#kinds"`}},
		"days":           {[]string{"from", "2026-11-01", "until", "bald"}, []string{"今天起一年以内", "不能早于"}},
		"the meal":       {[]string{"meal", "lakeside/feast"}, []string{"请选食堂现在供应的一餐"}},
		"not that way":   {[]string{"meal", "lakeside/supper", "way", "EatIn"}, []string{"这一餐不能这样吃"}},
		"too long":       {[]string{"wish", strings.Repeat("字", 101)}, []string{"嘱咐写得太长了"}},
		"no payment":     {[]string{"payment", "gold"}, []string{"请选怎么付款"}},
		"an allergen":    {[]string{"avoid", "Dust"}, []string{"请从列出的过敏原里选"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := zhao
			b.t = t
			b.sees(http.StatusUnprocessableEntity, standingNewPath, with(form, c.pairs...), c.texts...)
		})
	}
	zhao.sees(http.StatusBadRequest, standingNewPath, with(form, "key", "x"))
	if status, _, _ := zhao.open(standingNewPath, with(form, "for", hosttest.PersonID(t, "li-qiang"))); status != http.StatusForbidden {
		t.Errorf("for somebody for whom one may not: %d", status)
	}
	english := r.browser(t, "zhao-changshun")
	english.lang = web.English
	english.page(standingNewPath, "New standing order", "Days of the week")
}

// TestStandingScope: who may not order for somebody any more has their standing
// order ended, and both are told.
func TestStandingScope(t *testing.T) {
	r := startPages(t)
	// Wang may not order for Li, who may order for her.
	o := must[Standing](t)(r.store.AddStanding(t.Context(), StandingWanted{
		StandingTerms: StandingTerms{
			Canteen: "lakeside", Meal: "lunch", Weekdays: weekdays, From: lunch(t).Day, Way: "PickUp", Payment: PayCounter, Dishes: DishWish{Kinds: []Kind{KindMeat}},
		},
		Eater: hosttest.PersonID(t, "li-qiang"), OrderedBy: hosttest.PersonID(t, "wang-guihua"), Now: r.clock.Now().Add(-time.Hour),
	}))
	mothers := must[Standing](t)(r.store.AddStanding(t.Context(), StandingWanted{
		StandingTerms: o.StandingTerms, Eater: o.OrderedBy, OrderedBy: o.Eater, Now: r.clock.Now().Add(-time.Hour),
	}))
	li := r.browser(t, "li-qiang")
	page := li.eventually(standingURL(o.ID), "已结束")
	li.has(page, "不能再为用餐的人订餐")
	li.hasNot(page, "红烧肉")
	li.eventually(standingURL(mothers.ID), ordersPath+"/")
	var people []string
	if err := r.store.db.Reader().NewRaw("SELECT person FROM notify_outbox WHERE message LIKE '%canteen-standing-ended%'").Scan(t.Context(), &people); err != nil {
		t.Fatal(err)
	}
	slices.Sort(people)
	if want := []string{o.Eater, o.OrderedBy}; !slices.Equal(people, slices.Sorted(slices.Values(want))) {
		t.Errorf("told %q", people)
	}
}
