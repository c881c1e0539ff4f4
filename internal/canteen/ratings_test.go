package canteen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
)

// served is an order of pork by somebody, which was handed out at half past
// eleven.
func (w world) served(t testing.TB, eater string) Act {
	t.Helper()
	want := w.wanted(t, eater, PayCounter, 1, 0)
	o := w.mustPlace(t, want)
	at := moment(t, "2026-11-23T11:30:00+08:00")
	must[Order](t)(w.Serve(t.Context(), Act{Reach: Reach{Actor: "cook", Staff: true}, ID: o.ID, Now: at, Location: shanghai}))
	return Act{Reach: Reach{Actor: eater, Persons: []string{eater}}, ID: o.ID, Now: at.Add(time.Hour), Location: shanghai}
}

// said is what was said about pork.
func (w world) said(t testing.TB) []Said {
	t.Helper()
	return must[[]Said](t)(w.Said(t.Context(), SaidFilter{Dish: w.pork.ID, Limit: 100}))
}

// TestRate: who eats rates what they ate, once, and can change it and take it
// back for a week.
func TestRate(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		a := w.served(t, "wang")
		rate := func(a Act, dish uuid.UUID, stars int, line string) error {
			return w.Rate(ctx, a, []Rating{{Dish: dish, Stars: stars, Line: line}})
		}
		for i := range 2 { // said twice is said once, and is as old as it was
			again := a
			again.Now = a.Now.Add(time.Duration(i) * time.Hour)
			if err := rate(again, w.pork.ID, 2, "太咸"); err != nil {
				t.Fatal(err)
			}
		}
		if said := w.said(t); len(said) != 1 || !said[0].At.Equal(a.Now) || said[0].Stars != 2 || said[0].Line != "太咸" || !said[0].Complaint() || said[0].Sitting != lunch(t) {
			t.Errorf("said: %+v", said)
		}
		for _, test := range []struct {
			dish  uuid.UUID
			stars int
			line  string
			rule  Rule
		}{
			{w.rice.ID, 5, "", RuleNotEaten}, {uuid.New(), 5, "", RuleNotEaten}, {w.pork.ID, 6, "", RuleStars}, {w.pork.ID, -1, "", RuleStars},
			{w.pork.ID, 5, strings.Repeat("好", 141), RuleLineLength},
		} {
			wantRule(t, rate(a, test.dish, test.stars, test.line), test.rule)
		}
		other := a
		other.Reach = Reach{Actor: "li", Persons: []string{"li"}}
		if err := rate(other, w.pork.ID, 5, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("somebody else's order: %v", err)
		}
		if _, err := w.RatingsOf(ctx, other.Reach, a.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("somebody else's ratings: %v", err)
		}
		// One that breaks a rule keeps all from being kept.
		wantRule(t, w.Rate(ctx, a, []Rating{{Dish: w.pork.ID, Stars: 5}, {Dish: w.rice.ID, Stars: 5}}), RuleNotEaten)
		daughter := a
		daughter.Reach = Reach{Actor: "li", Persons: []string{"li", "wang"}}
		daughter.Now = moment(t, "2026-11-30T11:29:59+08:00")
		if err := rate(daughter, w.pork.ID, 4, strings.Repeat("好", 140)); err != nil {
			t.Error(err)
		}
		if said := w.said(t); len(said) != 1 || said[0].Stars != 4 {
			t.Errorf("changed to %+v", said)
		}
		late := a
		late.Now = moment(t, "2026-11-30T11:30:00+08:00")
		wantRule(t, rate(late, w.pork.ID, 1, ""), RuleRatingOver)
		wantRule(t, rate(late, w.pork.ID, 0, ""), RuleRatingOver)
		if err := rate(daughter, w.pork.ID, 0, ""); err != nil || len(w.said(t)) != 0 {
			t.Errorf("taken back: %v, %+v", err, w.said(t))
		}
		// What was not handed out after all was not eaten.
		if err := rate(a, w.pork.ID, 1, ""); err != nil {
			t.Fatal(err)
		}
		must[Order](t)(w.Unserve(ctx, Act{Reach: Reach{Actor: "cook", Staff: true}, ID: a.ID, Now: a.Now}))
		if said := w.said(t); len(said) != 0 {
			t.Errorf("said about what was not eaten: %+v", said)
		}
		wantRule(t, rate(a, w.pork.ID, 1, ""), RuleNotServed)
		// The database keeps to it, whoever writes.
		err := w.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&ratingRow{OrderID: a.ID, Dish: w.pork.ID, Day: "2026-11-23", Stars: 6}).Exec(ctx)
			return err
		})
		if err == nil {
			t.Error("the database keeps six stars")
		}
	})
}

// TestStars: residents see an average when three have said something, and
// managers see each month, also when nobody remembers who it was.
func TestStars(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		seen := func() map[uuid.UUID]Stars {
			return must[map[uuid.UUID]Stars](t)(w.StarsOf(ctx, []uuid.UUID{w.pork.ID, w.rice.ID}))
		}
		for i, stars := range []int{5, 4, 4} {
			if s := seen(); len(s) != 0 {
				t.Errorf("after %d: %+v", i, s)
			}
			if err := w.Rate(ctx, w.served(t, fmt.Sprint("eater-", i)), []Rating{{Dish: w.pork.ID, Stars: stars, Line: "好"}}); err != nil {
				t.Fatal(err)
			}
		}
		if s := seen(); len(s) != 1 || s[w.pork.ID] != (Stars{3, 13}) || s[w.pork.ID].Average() != 43 {
			t.Errorf("after three: %+v", s)
		}
		months := func() []MonthStars {
			return must[[]MonthStars](t)(w.StarsByMonth(ctx, "2026-11", "2026-12", uuid.Nil))
		}
		want := MonthStars{"2026-11", w.pork.ID, Stars{3, 13}}
		if got := months(); len(got) != 1 || got[0] != want {
			t.Errorf("months: %+v", got)
		}
		// One leaves: the stars stay, what was said does not.
		if err := w.Forget(ctx, "eater-0", moment(t, "2026-11-23T13:00:00+08:00")); err != nil {
			t.Fatal(err)
		}
		if s := seen(); s[w.pork.ID] != (Stars{3, 13}) {
			t.Errorf("after one has left: %+v", s)
		}
		lines := 0
		for _, said := range w.said(t) {
			if said.Line != "" {
				lines++
			}
		}
		if about := must[[]PersonalRating](t)(w.ratingsAbout(ctx, "eater-0")); lines != 2 || len(about) != 0 {
			t.Errorf("%d lines, and %+v about who has left", lines, about)
		}
		if about := must[[]PersonalRating](t)(w.ratingsAbout(ctx, "eater-1")); len(about) != 1 || about[0].Dish != "红烧肉" || about[0].Line != "好" {
			t.Errorf("%+v about who has not", about)
		}
		// And so does everybody when the time is over; the months stay.
		for range 2 {
			must[int64](t)(w.Erase(ctx, moment(t, "2026-11-24T00:00:00+08:00").Add(orderRetention), shanghai))
			if got := months(); len(got) != 1 || got[0] != want {
				t.Errorf("months afterwards: %+v", got)
			}
		}
		if len(w.said(t)) != 0 || len(seen()) != 0 {
			t.Errorf("left: %+v, %+v", w.said(t), seen())
		}
	})
}

// TestAverage: rounded to a tenth of a star, and none without ratings.
func TestAverage(t *testing.T) {
	for stars, want := range map[Stars]int{{3, 14}: 47, {3, 13}: 43, {2, 9}: 45, {8, 29}: 36, {1, 5}: 50, {}: 0} {
		if got := stars.Average(); got != want {
			t.Errorf("%+v: %d, want %d", stars, got, want)
		}
	}
}

// TestComplaints: one or two stars call for somebody to look into it, three do
// not.
func TestComplaints(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for stars, want := range map[int]int{1: 1, 2: 1, 3: 0} {
			a := w.served(t, fmt.Sprint("eater-", stars))
			if err := w.Rate(t.Context(), a, []Rating{{Dish: w.pork.ID, Stars: stars}}); err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, said := range must[[]Said](t)(w.Said(t.Context(), SaidFilter{Complaints: true, Limit: 100})) {
				if said.Order == a.ID {
					found++
				}
			}
			if found != want || (Said{Rating: Rating{Stars: stars}}).Complaint() != (want == 1) {
				t.Errorf("%d stars: %d complaints, want %d", stars, found, want)
			}
		}
	})
}

// TestDaughterLeaves: what a daughter said for her mother goes with her, and the
// mother's stars stay.
func TestDaughterLeaves(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, a := t.Context(), w.served(t, "wang")
		a.Reach = Reach{Actor: "li", Persons: []string{"li", "wang"}}
		if err := w.Rate(ctx, a, []Rating{{Dish: w.pork.ID, Stars: 4, Line: "妈妈说好吃"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Forget(ctx, "li", a.Now); err != nil {
			t.Fatal(err)
		}
		if said := w.said(t); len(said) != 1 || said[0].Stars != 4 || said[0].Line != "" {
			t.Errorf("said: %+v", said)
		}
		if about := must[[]PersonalRating](t)(w.ratingsAbout(ctx, "wang")); len(about) != 1 || about[0].Stars != 4 {
			t.Errorf("about the mother: %+v", about)
		}
		if about := must[[]PersonalRating](t)(w.ratingsAbout(ctx, "li")); len(about) != 0 {
			t.Errorf("about the daughter: %+v", about)
		}
	})
}

// TestStarsOfOne: who rates a dish three times is still one.
func TestStarsOfOne(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := t.Context()
		a := w.served(t, "wang")
		err := w.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			for _, day := range []string{"2026-11-20", "2026-11-21", "2026-11-22"} {
				o := orderRow{ID: uuid.New(), Canteen: "lakeside", Day: day, Meal: "lunch", Eater: "wang", Lines: "[]", Home: "{}", State: StateServed}
				if _, err := tx.NewInsert().Model(&o).Exec(ctx); err != nil {
					return err
				}
				r := ratingRow{OrderID: o.ID, Dish: w.pork.ID, Canteen: "lakeside", Day: day, Meal: "lunch", Eater: "wang", SaidBy: "wang", Stars: 1, SaidAt: a.Now.Unix()}
				if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := must[map[uuid.UUID]Stars](t)(w.StarsOf(ctx, []uuid.UUID{w.pork.ID})); len(s) != 0 {
			t.Errorf("one person's stars are shown: %+v", s)
		}
	})
}

// rated is an order of Li's that was handed out and whose pork was rated.
func (s *site) rated(stars int, line string) (order string) {
	s.t.Helper()
	order = s.lis(v1alpha1.WayPickUp)
	s.api(cook, 200, "POST", "/staff/orders/"+order+"/serve", nil)
	s.call(li, 204, "PUT", "/orders/"+order+"/ratings/"+s.pork, map[string]any{"stars": stars, "line": line}, nil)
	return order
}

// call calls the API and reads the answer into out, unless that is nil.
func (s *site) call(account string, want int, method, path string, body, out any) {
	s.t.Helper()
	content := must[[]byte](s.t)(json.Marshal(body))
	r := must[*http.Request](s.t)(http.NewRequestWithContext(s.t.Context(), method, s.URL+"/canteen/api/v1"+path, strings.NewReader(string(content))))
	r.Header.Set("Authorization", "Bearer "+s.Token(s.t, account))
	r.Header.Set("Content-Type", "application/json")
	response := must[*http.Response](s.t)(s.Client(s.t).Do(r))
	defer response.Body.Close()
	if response.StatusCode != want {
		s.t.Fatalf("%s %s: %s", method, path, response.Status)
	}
	if out != nil {
		if err := json.NewDecoder(response.Body).Decode(out); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestRatingPages: Li says how it was, in words and without JavaScript; the
// cook reads it without her name, the manager sees whom to call back.
func TestRatingPages(t *testing.T) {
	s := startSite(t)
	v := s.visitor(li)
	own := "/canteen/orders/" + s.lis(v1alpha1.WayPickUp)
	v.hasNot(v.page(own), "吃得怎么样")
	if status, location, _ := v.open(own+"/rate", nil); status != http.StatusSeeOther || location != own {
		t.Errorf("rating what was not handed out: %d to %s", status, location)
	}
	s.api(cook, 200, "POST", "/staff/"+strings.TrimPrefix(own, "/canteen/")+"/serve", nil)
	v.page(own, "吃得怎么样", "评一评", "11月30日前")
	page := v.page(own+"/rate", "红烧肉", "米饭", "很差", "很好", "只有食堂工作人员看")
	if strings.Contains(page, `value="0"`) {
		t.Error("what was not said can be taken back")
	}
	form := func(pairs ...string) url.Values { return with(url.Values{}, pairs...) }
	pork, rice := "stars-"+s.pork, "stars-"+s.rice
	for text, f := range map[string]url.Values{
		"请至少评一道菜":   form(),
		"选一个":       form("line-"+s.pork, "太咸"),
		"最多写140个字":  form(pork, "2", "line-"+s.pork, strings.Repeat("咸", 141)),
		"“很差”到“很好”": form(pork, "6"),
	} {
		status, _, page := v.open(own+"/rate", f)
		if status != http.StatusUnprocessableEntity || f.Get("line-"+s.pork) != "" && !strings.Contains(page, `value="`+f.Get("line-"+s.pork)+`"`) {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	v.page(v.sent(own+"/rate", form(pork, "2", "line-"+s.pork, "太咸了，<b>少放盐</b>", rice, "5")), "谢谢", "较差", "很好", "太咸了", "改评价")
	if page := v.page(own + "/rate"); !strings.Contains(page, `value="0"`) {
		t.Error("what was said cannot be taken back")
	}

	c := s.visitor(cook)
	page = c.page(staffFeedbackPath, "红烧肉 较差 太咸了", "米饭 很好", "湖畔食堂 午餐")
	c.hasNot(page, liName, liPhone, "回电")
	trace := traceDishURL(Cooked{lunch(t), idOf(s.pork)})
	if n := strings.Count(page, tracePath+"?"); n != 1 || !strings.Contains(page, html.EscapeString(trace)) {
		t.Errorf("%d ways to trace the one complaint", n)
	}
	c.page(trace, "红烧肉")
	if strings.Contains(page, strings.TrimPrefix(own, "/canteen/orders/")) {
		t.Error("the cook's page leads to who said it")
	}
	c.hasNot(c.page(staffFeedbackPath+"?which=complaints", "太咸了"), "米饭 很好")
	c.hasNot(c.page(staffFeedbackPath+"?dish="+s.rice, "米饭每月评价 月份 平均分 评价数 2026-11 5.0 1"), "太咸了")
	c.page(staffFeedbackMonthPath, "红烧肉 2.0 1 米饭 5.0 1")
	c.page(staffFeedbackMonthPath+"?month=2026-10", "没有评价")
	if status, _, _ := c.open(staffFeedbackMonthPath+"?month=now", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a month that is none: %d", status)
	}
	order := staffFeedbackOrderPath + strings.TrimPrefix(own, "/canteen/orders/")
	if status, _, _ := c.open(order, nil); status != http.StatusForbidden {
		t.Errorf("a cook sees who said it: %d", status)
	}
	s.visitor(manager).page(staffFeedbackPath, "看订单，回电")
	s.visitor(manager).page(order, liName, "138 0000 0002", "太咸了")

	// Taken back, one of them.
	v.hasNot(v.page(v.sent(own+"/rate", form(pork, "0", rice, "5"))), "太咸了")
	s.clock.SetTime(s.clock.Now().Add(rateFor))
	v.hasNot(v.page(own, "很好"), "改评价")
	if status, location, _ := v.open(own+"/rate", form(rice, "1")); status != http.StatusSeeOther || location != own {
		t.Errorf("after a week: %d to %s", status, location)
	}
}

// TestStarsOnMenus: the menu shows what three think of a dish, and what they
// wrote to nobody.
func TestStarsOnMenus(t *testing.T) {
	s := startSite(t)
	eaters := []string{li, "zhao-changshun", "chen-yutong"}
	menu := func() string { return s.visitor("").page("/canteen/") }
	for i, eater := range eaters {
		if strings.Contains(menu(), "个评价") {
			t.Errorf("stars of %d", i)
		}
		id := s.api(eater, 201, "POST", "/orders", map[string]any{
			"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "way": "PickUp", "payment": "Counter",
			"lines": []map[string]any{{"dish": s.pork, "portions": 1}},
		})
		s.api(cook, 200, "POST", "/staff/orders/"+id+"/serve", nil)
		s.call(eater, 204, "PUT", "/orders/"+id+"/ratings/"+s.pork, map[string]any{"stars": 3 + i, "line": "悄悄话"}, nil)
		s.call(eater, 422, "PUT", "/orders/"+id+"/ratings/"+s.rice, map[string]any{"stars": 5}, nil)
		s.call(eaters[(i+1)%3], 404, "DELETE", "/orders/"+id+"/ratings/"+s.pork, nil, nil)
		var own struct {
			Ratings []apiRating
			Until   time.Time
		}
		s.call(eater, 200, "GET", "/orders/"+id+"/ratings", nil, &own)
		if len(own.Ratings) != 1 || own.Ratings[0].Stars != 3+i || !own.Until.Equal(s.clock.Now().Add(rateFor)) {
			t.Errorf("own: %+v", own)
		}
	}
	page := s.visitor("").page("/canteen/", "4.0分（3个评价）")
	if strings.Contains(page, "悄悄话") {
		t.Error("the menu says what somebody wrote")
	}
	var menus struct{ Menus []APIMenu }
	s.call(li, 200, "GET", "/menus/2026-11-23", nil, &menus)
	if stars := menus.Menus[0].Items[0].Stars; stars == nil || *stars != (apiStars{4, 3}) || menus.Menus[0].Items[1].Stars != nil {
		t.Errorf("%+v", menus.Menus[0].Items)
	}
	var said struct{ Ratings []apiSaid }
	s.call(cook, 200, "GET", "/staff/ratings?dish="+s.pork, nil, &said)
	s.call(li, 403, "GET", "/staff/ratings", nil, nil)
	if len(said.Ratings) != 3 || said.Ratings[0].Line != "悄悄话" {
		t.Errorf("%+v", said)
	}
	var months struct{ Months []apiMonthStars }
	s.call(manager, 200, "GET", "/staff/ratings/months?from=2026-11&to=2026-11", nil, &months)
	if len(months.Months) != 1 || months.Months[0].Average != 4 {
		t.Errorf("%+v", months)
	}
}
