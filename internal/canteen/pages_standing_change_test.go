package canteen

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/web"
)

// TestStandingChangePage: somebody changes what they eat; what is ordered
// already stays, and is led to.
func TestStandingChangePage(t *testing.T) {
	r := startPages(t)
	r.topUp(t, "zhao-changshun", "100")
	zhao := r.browser(t, "zhao-changshun")
	location := zhao.send(standingNewPath, with(zhao.standingForm(standingNewPath), "from", "2026-11-22", "weekdays", "Monday", "kinds", "Meat", "way", "PickUp", "avoid", "Peanuts", "payment", payOwn))
	standing, _, _ := strings.Cut(location, "?")
	change := standing + "/change"
	order := regexp.MustCompile(`href="(/canteen/orders/[^"]+)"`).FindStringSubmatch(zhao.eventually(standing, ordersPath+"/"))[1]
	zhao.has(zhao.page(standing), `href="`+change+`"`, "修改长期订餐")
	zhao.eventually(order, "钱包里已留好")
	page := zhao.page(change, "修改长期订餐", "午餐 · 湖畔食堂", "2026年11月22日开始的", "已经订好的不会跟着改", `href="`+order+`"`, "11月23日 星期一", "红烧肉 × 1", `class="particular" open`)
	zhao.hasNot(page, `name="from"`, `name="meal"`, `name="for"`, "代订人的钱包")
	form := zhao.standingForm(change)
	for field, want := range map[string]string{"version": "1", "weekdays": "Monday", "kinds": "Meat", "avoid": "Peanuts", "way": "PickUp", "payment": payOwn} {
		if form.Get(field) != want {
			t.Errorf("the form begins with %s %q, want %q", field, form.Get(field), want)
		}
	}
	form["weekdays"] = []string{"Monday", "Wednesday"}
	form = with(form, "kinds", "Staple", "until", "2027-01-31", "wish", "  饭软\n一点 ", "payment", payCounter)
	location = zhao.send(change, form)
	if again := zhao.send(change, form); again != location || location != standing+"?done=changed" {
		t.Errorf("sent twice: %s and %s", location, again)
	}
	zhao.page(location, "改好了", "星期一、星期三", "2026年11月22日至2027年1月31日", "各一份：主食", "不含：花生", "自己来取", "饭软 一点", "到食堂再付", order, "红烧肉 × 1", "11月25日 星期三")
	zhao.hasNot(zhao.page(order, "红烧肉 × 1", "钱包里已留好"), "已取消")

	for name, c := range map[string]struct {
		pairs  []string
		status int
		texts  []string
	}{
		"no dishes":     {[]string{"kinds", ""}, http.StatusUnprocessableEntity, []string{"请至少选一类菜", `href="#kinds"`}},
		"over":          {[]string{"until", "2026-11-21"}, http.StatusUnprocessableEntity, []string{"不能早于今天"}},
		"no date":       {[]string{"until", "bald"}, http.StatusUnprocessableEntity, []string{"不能早于今天", `value="bald"`}},
		"the first day": {[]string{"from", "2026-11-29", "wish", "a"}, http.StatusSeeOther, nil}, // there is no such field
		"another's":     {[]string{"payment", payKept}, http.StatusUnprocessableEntity, []string{"请选怎么付款"}},
		"meanwhile":     {[]string{"version", "1", "wish", "少盐"}, http.StatusConflict, []string{"别人刚刚修改了这个长期订餐", `value="少盐"`, "放弃我的修改"}},
		"no version":    {[]string{"version", "x", "wish", "少盐"}, http.StatusConflict, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := zhao
			b.t = t
			status, _, page := b.open(change, with(b.standingForm(change), c.pairs...))
			if status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, readable(page))
			}
			b.has(page, c.texts...)
		})
	}
	// What was typed over another's change is kept, and saved when it is sent again.
	page = zhao.sees(http.StatusConflict, change, with(zhao.standingForm(change), "version", "1", "wish", "多汤"), "多汤")
	zhao.send(change, with(zhao.standingForm(change), "version", regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(page)[1], "wish", "多汤"))
	zhao.page(standing, "多汤", "2026年11月22日至")

	stranger := r.browser(t, "chen-yutong")
	for _, form := range []url.Values{nil, form} {
		if status, _, _ := stranger.open(change, form); status != http.StatusNotFound {
			t.Errorf("somebody else's: %d", status)
		}
	}
	english := zhao
	english.lang = web.English
	english.page(change, "Change this standing order", "What is ordered already stays as it is", "since 22 November 2026")
	zhao.send(standing+"/end", url.Values{})
	if status, location, _ := zhao.open(change, nil); status != http.StatusSeeOther || location != standing {
		t.Errorf("after its end: %d to %s", status, location)
	}
	zhao.sees(http.StatusConflict, change, with(form, "version", "9"), "已经结束")
	zhao.hasNot(zhao.page(standing), "修改长期订餐")
}

// TestStandingChangePayer: a purse that pays for somebody else goes on, unless
// who eats takes it over; and who has theirs pay is who orders.
func TestStandingChangePayer(t *testing.T) {
	r := startPages(t)
	wang, li := hosttest.PersonID(t, "wang-guihua"), hosttest.PersonID(t, "li-qiang")
	o := must[Standing](t)(r.store.AddStanding(t.Context(), StandingWanted{
		StandingTerms: StandingTerms{
			Canteen: "lakeside", Meal: "lunch", Weekdays: weekdays, From: lunch(t).Day.AddDays(9), Way: "PickUp", Payment: PayPurse, Payer: li, Dishes: DishWish{Kinds: []Kind{KindMeat}},
		},
		Eater: wang, OrderedBy: li, Now: r.clock.Now().Add(-time.Hour),
	}))
	change := standingChangeURL(o.ID)
	now := func() string {
		o := must[Standing](t)(r.store.Standing(t.Context(), Reach{Staff: true}, o.ID))
		return strings.NewReplacer(wang, "wang", li, "li").Replace(strings.Join([]string{string(o.Payment), o.Payer, o.OrderedBy, o.Wish, o.From.String()}, " "))
	}
	mother, son := r.browser(t, "wang-guihua"), r.browser(t, "li-qiang")
	for _, step := range []struct {
		b                    browser
		shown, chosen, wants string
	}{
		{mother, payKept, payKept, "Purse li li 1 2026-12-02"},
		{mother, payKept, payOwn, "Purse wang li 2 2026-12-02"},
		{son, payEater, payEater, "Purse wang li 3 2026-12-02"},
		{son, payEater, payCounter, "Counter  li 4 2026-12-02"},
		{son, payCounter, payOwn, "Purse li li 5 2026-12-02"},
	} {
		page, form := step.b.page(change), step.b.standingForm(change)
		if form.Get("payment") != step.shown {
			t.Errorf("the form begins with %q, want %q", form.Get("payment"), step.shown)
		}
		if kept := strings.Contains(page, "代订人的钱包"); kept != (step.shown == payKept) {
			t.Errorf("another's purse is offered: %t", kept)
		}
		step.b.send(change, with(form, "payment", step.chosen, "wish", step.wants[len(step.wants)-12:len(step.wants)-11]))
		if got := now(); got != step.wants {
			t.Errorf("%q, want %q", got, step.wants)
		}
	}
	// What has not begun may begin another day.
	son.page(son.send(change, with(son.standingForm(change), "from", "2026-12-24")), "2026年12月24日起", "王桂花")
	son.sees(http.StatusUnprocessableEntity, change, with(son.standingForm(change), "from", "2026-11-21"), "请填开始的日子", `href="#from"`)
}

// TestStandingChangeAtCounter: for somebody without a phone.
func TestStandingChangeAtCounter(t *testing.T) {
	s := startSite(t)
	v := s.visitor(desker)
	zhao := hosttest.PersonID(t, "zhao-changshun")
	path := staffStandingPath + "/" + s.standing("zhao-changshun") + "/change"
	v.page(staffStandingURL(zhao), "修改长期订餐")
	v.page(path, "赵长顺", "午餐", "花生", "柜台付款")
	form := with(s.standingFor("zhao-changshun"), "version", "1", "until", "2026-12-31", "way", "EatIn", "payment", payEater)
	v.page(v.sent(path, form), "改好了", "2026年11月24日至2026年12月31日")
	o := must[Standing](t)(s.store.Standing(t.Context(), Reach{Staff: true}, idOf(strings.Split(path, "/")[4])))
	if o.Payer != zhao || o.OrderedBy != zhao || o.Way != "EatIn" || o.Version != 2 {
		t.Errorf("%+v", o)
	}
	for name, c := range map[string]struct {
		pairs  []string
		status int
		text   string
	}{
		"stale":         {[]string{"wish", "少盐"}, http.StatusConflict, "别人刚刚修改了"},
		"a mistake":     {[]string{"version", "2", "way", "Drone"}, http.StatusUnprocessableEntity, "请换一种"},
		"one's own":     {[]string{"version", "2", "payment", payOwn}, http.StatusUnprocessableEntity, "请选怎么付款"},
		"another purse": {[]string{"version", "2", "payment", payKept}, http.StatusUnprocessableEntity, "请选怎么付款"},
	} {
		status, _, page := v.open(path, with(form, c.pairs...))
		if status != c.status || !strings.Contains(said(page), c.text) {
			t.Errorf("%s: %d: %s", name, status, said(page))
		}
	}
	v.sent(strings.TrimSuffix(path, "/change")+"/end", url.Values{})
	if status, location, _ := v.open(path, nil); status != http.StatusSeeOther || location != staffStandingURL(zhao) {
		t.Errorf("after its end: %d to %s", status, location)
	}
	if status, _, page := v.open(path, with(form, "version", "2", "wish", "少盐")); status != http.StatusConflict || !strings.Contains(said(page), "已经结束") {
		t.Errorf("after its end: %d: %s", status, said(page))
	}
	if status, _, _ := v.open(staffStandingPath+"/x/change", nil); status != http.StatusNotFound {
		t.Errorf("no ID: %d", status)
	}
}

// TestStandingChangeAPI: statuses and what is left as it is.
func TestStandingChangeAPI(t *testing.T) {
	s := startSite(t)
	made := map[string]any{
		"canteen": "lakeside", "meal": "lunch", "weekdays": []string{"Tuesday"}, "from": "2026-11-24", "way": "PickUp", "dishes": map[string]any{"kinds": []string{"Meat"}},
	}
	path := "/standing-orders/" + s.api(li, http.StatusCreated, "POST", "/standing-orders", made)
	body := func(pairs ...any) map[string]any {
		b := map[string]any{
			"weekdays": []string{"Friday", "Tuesday"}, "from": "2026-11-25", "until": "2026-12-31", "way": "EatIn", "payment": "Counter", "version": 1,
			"dishes": map[string]any{"kinds": []string{"Staple"}, "avoid": []string{"Eggs"}},
		}
		for i := 0; i < len(pairs); i += 2 {
			if b[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
				delete(b, pairs[i].(string))
			}
		}
		return b
	}
	for range 2 {
		s.api(li, http.StatusOK, "PUT", path, body())
	}
	id := idOf(strings.TrimPrefix(path, "/standing-orders/"))
	o := must[Standing](t)(s.store.Standing(t.Context(), Reach{Staff: true}, id))
	if o.Version != 2 || o.Canteen != "lakeside" || o.Payment != PayCounter || o.Payer != "" || o.From.String() != "2026-11-25" || o.Until.String() != "2026-12-31" || len(o.Weekdays) != 2 || o.Weekdays[0] != "Tuesday" {
		t.Errorf("%+v", o)
	}
	for name, c := range map[string]struct {
		by   string
		body map[string]any
		want int
	}{
		"meanwhile":         {li, body("wish", "少盐"), http.StatusConflict},
		"not theirs":        {"chen-yutong", body("version", 2), http.StatusNotFound},
		"without a version": {li, body("version", nil), http.StatusUnprocessableEntity},
		"without a payment": {li, body("version", 2, "payment", nil), http.StatusUnprocessableEntity},
		"another meal":      {li, body("version", 2, "meal", "supper"), http.StatusUnprocessableEntity},
		"another eater":     {li, body("version", 2, "person", hosttest.PersonID(t, "wang-guihua")), http.StatusUnprocessableEntity},
		"no day":            {li, body("version", 2, "weekdays", []string{}), http.StatusUnprocessableEntity},
		"yesterday":         {li, body("version", 2, "from", "2026-11-22"), http.StatusUnprocessableEntity},
		"another's purse":   {li, body("version", 2, "payment", "Purse", "payer", hosttest.PersonID(t, "wang-guihua")), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) { s.api(c.by, c.want, "PUT", path, c.body) })
	}
	s.api(li, http.StatusOK, "PUT", path, body("version", 2, "payment", "Purse"))
	if o = must[Standing](t)(s.store.Standing(t.Context(), Reach{Staff: true}, id)); o.Version != 3 || o.Payer != o.Eater {
		t.Errorf("%+v", o)
	}
	s.api(li, http.StatusNotFound, "PUT", "/standing-orders/x", body())
	s.api(li, http.StatusOK, "DELETE", path, nil)
	s.api(li, http.StatusConflict, "PUT", path, body("version", 3))
}
