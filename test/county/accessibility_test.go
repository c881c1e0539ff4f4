package county

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// page is a page to look at: a path of the community or a whole address, and
// what to do there if a form leads to it.
type page struct {
	name, path string
	then       func(*person)
}

// TestAccessibility lets axe-core look at every kind of page, in both modes, at
// the widths of a small phone, a phone and a desk. No page of ours has scripts;
// the elder mode is looked at with them on, the standard one with them off. A
// page of docs/authorization.md that was not looked at fails the test, if its
// service is on.
func TestAccessibility(t *testing.T) {
	f := furnish(t)
	f.furnishPeople(t)
	f.furnishMeals(t)
	f.furnishFeedback(t)
	var seen looks
	t.Run("pages", func(t *testing.T) {
		for _, mode := range []string{"standard", "elder"} {
			for _, reader := range []struct {
				name  string
				enter func(p *person)
				pages []page
			}{
				{"guest", func(p *person) {}, guestPages(mode)},
				{"newcomer", func(p *person) { p.enterBy("1372222000" + map[string]string{"standard": "1", "elder": "2"}[mode]) }, f.newcomerPages()},
				{"family", func(p *person) { p.enterBy(sharedPhone) }, []page{{name: "which", path: "/residents/which"}}},
				{"resident", func(p *person) { p.enter(resident) }, slices.Concat(f.residentPages(), ownPages(), pursePages(), f.mealPages())},
				{"staff", func(p *person) { p.enter(manager) }, slices.Concat(f.staffPages(), f.deskPages(t), f.counterPages(), f.kitchenPages())},
			} {
				t.Run(reader.name+", "+mode+" mode", func(t *testing.T) {
					t.Parallel()
					p := browser(t)
					if mode == "standard" {
						p.withoutJavaScript()
					}
					p.visit(f.base)
					p.accessible("") // before anybody is known, with the offer of the elder mode
					p.prefer(mode)
					reader.enter(p)
					for _, page := range reader.pages {
						if strings.HasPrefix(page.path, "/") {
							page.path = f.base + page.path
						}
						p.visit(page.path)
						if page.then != nil {
							page.then(p)
						}
						p.accessible(page.name+"-"+mode, 320, 360, 1280)
						seen.at(p.location())
					}
				})
			}
		}
	})
	if !t.Failed() {
		seen.all(t, f.base)
	}
}

// furnished is a community in which there is something on every page.
type furnished struct {
	base string
	// study, wait and series are times that are free at the study room, taken
	// at the dance room, and repeated at the lectures.
	study, wait, series slot
	// booking is of the resident, offered one that waits to be accepted,
	// requested one for the staff; closed had to give way to the closure.
	booking, offered, requested string
	entry, weeks, closure       string
	// person is the record of the resident, asked a request to join.
	person, asked string
	meals         meals
}

// furnish books, waits, asks and closes, through the API.
func furnish(t *testing.T) furnished {
	t.Helper()
	base := county.url("zhanqian")
	api := base + "/booking/api/v1"
	token, other, desk := county.token(t, "zhanqian", resident), county.token(t, "zhanqian", student), county.token(t, "zhanqian", manager)
	do := func(method, path, token string, in, out any) {
		t.Helper()
		if res := call(t, method, api+path, token, in, out); res.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, path, res.Status)
		}
	}
	type made struct{ ID, Booking, Person string }
	span := func(venue string, s slot, more ...any) map[string]any {
		m := map[string]any{"venue": venue, "start": s.Start, "end": s.End}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}

	f := furnished{base: base, study: freeSlot(t, base, "study-room")}
	var b, o, q made
	do("POST", "/bookings", token, span("study-room", f.study, "note", "靠窗的位子最好"), &b)
	f.booking = b.ID
	room := freeSlotThat(t, base, "living-room", func(s slot) bool { return s.Start.After(time.Now().Add(24 * time.Hour)) })
	do("POST", "/bookings", token, span("living-room", room, "note", "老乡聚一聚，大约十二个人"), &q)
	f.requested = q.ID

	// Two times at which one waits: nobody has given up the one, the other is offered.
	f.wait = freeSlot(t, base, "clinic-tcm")
	do("POST", "/bookings", other, span("clinic-tcm", f.wait), nil)
	var e made
	do("POST", "/waiting-list", token, span("clinic-tcm", f.wait), &e)
	f.entry = e.ID
	chance := freeSlot(t, base, "clinic-chronic")
	do("POST", "/bookings", other, span("clinic-chronic", chance), &o)
	do("POST", "/waiting-list", token, span("clinic-chronic", chance), nil)
	do("DELETE", "/bookings/"+o.ID, other, nil, nil)
	var waiting struct{ Entries []made }
	do("GET", "/waiting-list", token, nil, &waiting)
	for _, e := range waiting.Entries {
		if e.Booking != "" {
			f.offered = e.Booking
		}
	}
	if f.offered == "" {
		t.Fatal("nothing was offered from the waiting list")
	}

	f.series = freeSlot(t, base, "training")
	do("POST", "/series", token, span("training", f.series, "until", f.series.Start.AddDate(0, 0, 7).In(shanghai).Format(time.DateOnly)), &e)
	f.weeks = e.ID

	club := map[string]any{
		"name": "calligraphy", "displayName": "书画社", "kind": "Seats", "seats": 12, "slotMinutes": 60, "access": "Members",
		"description": "三楼西侧，笔墨自备，社员优先。", "noShowMinutes": 30,
		"hours": []any{map[string]any{"days": []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}, "from": "00:00", "to": "24:00"}},
	}
	do("PUT", "/staff/venues/calligraphy", desk, club, nil)
	var people struct{ People []made }
	do("GET", "/people", token, nil, &people)
	do("PUT", "/staff/venues/calligraphy/members/"+people.People[0].ID, desk, nil, nil)
	do("POST", "/bookings", token, span("calligraphy", freeSlot(t, base, "calligraphy")), nil)

	day := freeSlot(t, base, "reading-room")
	do("POST", "/bookings", token, span("reading-room", day), nil)
	var closed struct{ Closure made }
	do("POST", "/staff/closures", desk, map[string]any{
		"venue": "reading-room", "from": day.Start, "to": day.Start.Add(4 * time.Hour), "reason": "检修暖气", "affected": "Move",
	}, &closed)
	f.closure = closed.Closure.ID
	return f
}

// on is the page of a venue on which one books the slot.
func on(venue string, s slot) string {
	return "/booking/venues/" + venue + "/book?start=" + url.QueryEscape(s.Start.In(shanghai).Format(time.RFC3339))
}

func (f furnished) residentPages() []page {
	later := url.QueryEscape(f.study.Start.Add(2 * time.Hour).In(shanghai).Format(time.RFC3339))
	booking := "/booking/bookings/" + f.booking
	return []page{
		{name: "portal", path: "/"},
		{name: "venues", path: "/booking/"},
		{name: "day", path: "/booking/venues/study-room?date=" + f.study.date()},
		{name: "day-doctors", path: "/booking/venues/clinic-general?date=" + f.study.date()},
		{name: "day-closed", path: "/booking/venues/after-school?date=2027-02-05"},
		{name: "week", path: "/booking/venues/clinic-general/week?date=" + f.study.date()},
		{name: "week-rooms", path: "/booking/venues/study-room/week"},
		{name: "order", path: on("study-room", slot{Start: f.study.Start.Add(time.Hour)})},
		{name: "order-for-another", path: on("clinic-general", slot{Start: f.study.Start})},
		{name: "order-barred", path: on("after-school", slot{Start: f.study.Start.Truncate(24 * time.Hour).Add(8*time.Hour + 30*time.Minute)})},
		{name: "order-full", path: on("clinic-tcm", f.wait)},
		{name: "series-preview", path: on("dance-room", slot{Start: evening(f.study)}), then: func(p *person) {
			p.do(chromedp.Click(`//main//summary[contains(., "每周都约这个时间")]`, chromedp.NodeVisible))
			p.fill("until", f.study.Start.AddDate(0, 0, 7).In(shanghai).Format(time.DateOnly))
			p.click("看看每周能不能约")
		}},
		{name: "series", path: "/booking/series/" + f.weeks},
		{name: "series-cancel", path: "/booking/series/" + f.weeks + "/cancel"},
		{name: "booking", path: booking},
		{name: "booking-offered", path: "/booking/bookings/" + f.offered},
		{name: "booking-requested", path: "/booking/bookings/" + f.requested},
		{name: "bookings", path: "/booking/bookings/"},
		{name: "change-day", path: "/booking/venues/study-room?change=" + f.booking + "&date=" + f.study.date()},
		{name: "change", path: booking + "/change?start=" + later},
		{name: "cancel", path: booking + "/cancel"},
		{name: "waiting", path: "/booking/waiting/" + f.entry},
		{name: "door", path: "/booking/at/calligraphy"},
		{name: "calendar", path: "/booking/calendar"},
		{name: "calendar-made", path: "/booking/calendar", then: func(p *person) {
			p.clickAt(`//main//form[@action="/booking/calendar"]//button`)
		}},
		{name: "messages", path: "/messages/"},
		{name: "messages-preferences", path: "/messages/preferences"},
		{name: "not-found", path: "/booking/venues/nowhere"},
	}
}

// evening is 19:00 on the day of a slot.
func evening(s slot) time.Time {
	day := s.Start.In(shanghai)
	return time.Date(day.Year(), day.Month(), day.Day(), 19, 0, 0, 0, shanghai)
}

func (f furnished) staffPages() []page {
	booking, venues := "/booking/staff/bookings/", "/booking/staff/venues/"
	order := "/booking/staff/book?venue=study-room&start=" + url.QueryEscape(f.study.Start.In(shanghai).Format(time.RFC3339))
	return []page{
		{name: "staff-portal", path: "/"},
		{name: "calls", path: "/messages/calls"},
		{name: "board", path: "/booking/staff/?date=" + f.study.date()},
		{name: "board-found", path: "/booking/staff/?q=" + url.QueryEscape("李强") + "&date=" + f.study.date()},
		{name: "book", path: "/booking/staff/book?venue=clinic-general"},
		{name: "book-guest", path: order},
		{name: "book-found", path: order + "&q=" + url.QueryEscape("王桂花")},
		{name: "book-mistakes", path: order, then: func(p *person) { p.clickAt(`//main//form[@method="post"]//button`) }},
		{name: "requests", path: "/booking/staff/requests"},
		{name: "staff-waiting", path: "/booking/staff/waiting?date=" + f.wait.date()},
		{name: "staff-booking", path: booking + f.requested},
		{name: "staff-refuse", path: booking + f.requested + "/refuse"},
		{name: "staff-cancel", path: booking + f.booking + "/cancel"},
		{name: "staff-change", path: booking + f.booking + "/change"},
		{name: "closures", path: "/booking/staff/closures/"},
		{name: "close", path: "/booking/staff/closures/new?venue=clinic-general"},
		{name: "close-preview", path: "/booking/staff/closures/new?venue=study-room", then: func(p *person) {
			p.fill("fromDay", f.study.date())
			p.fill("toDay", f.study.date())
			p.fill("reason", "停电检修")
			p.click("先看会影响谁")
			p.sees("确认停用吗")
		}},
		{name: "closure", path: "/booking/staff/closures/" + f.closure},
		{name: "reopen", path: "/booking/staff/closures/" + f.closure + "/reopen"},
		{name: "staff-venues", path: venues},
		{name: "venue-form", path: venues + "clinic-general/edit"},
		{name: "venue-mistakes", path: venues + "new", then: func(p *person) { p.clickAt(`//main//form[@method="post"]//button`) }},
		{name: "attendants", path: venues + "clinic-general/attendants"},
		{name: "attendant", path: venues + "clinic-general/attendants/dr-meng"},
		{name: "attendant-new", path: venues + "clinic-general/add-attendant"},
		{name: "attendant-remove", path: venues + "clinic-general/attendants/dr-meng/remove"},
		{name: "members", path: venues + "calligraphy/members?q=" + url.QueryEscape("赵长顺")},
		{name: "poster", path: venues + "calligraphy/poster"},
		{name: "renew", path: venues + "calligraphy/renew"},
		{name: "retire", path: venues + "study-room/retire"},
		{name: "use", path: "/booking/staff/use"},
	}
}
