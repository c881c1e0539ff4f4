package booking

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// walk is a community in which a manager uses every route of the staff once.
type walk struct {
	t       *testing.T
	s       running
	page    browser
	api     apiClient
	li      apiClient
	hours   int
	db      *database.DB
	made    int
	actions map[string]bool
}

const liName, liPhone = "李强", "13800000002"

func newWalk(t *testing.T) *walk {
	t.Helper()
	many := func(v v1alpha1.Venue) v1alpha1.Venue {
		v.Kind, v.Seats, v.MaxPerResidentPerDay, v.BookingWindowDays = v1alpha1.VenueSeats, 50, 50, 60
		v.Hours = []v1alpha1.OpeningHours{{Days: everyDay, From: "00:00", To: "24:00"}}
		return v
	}
	single := many(musicRoom())
	single.Kind, single.Seats = v1alpha1.VenueRoom, 0
	club := many(musicRoom())
	club.Name, club.Access = "club", v1alpha1.AccessMembers
	s := startWith(t, v1alpha1.ManagedByCommunity, many(studyRoom()), many(hall()), single, club, twoDoctors())
	existing, err := database.ReadDirectory(s.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { existing.Close() })
	db, err := existing.Open(Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &walk{
		t: t, s: s, page: s.browser(t, "zhou-jianguo"), api: s.api(t, "zhou-jianguo"), li: s.api(t, "li-qiang"),
		db: db, actions: map[string]bool{},
	}
}

// hour is a span of an hour that nobody has asked for yet.
func (w *walk) hour() (start, end string) {
	at := moment(w.t, nineAM).Add(time.Duration(w.hours%14)*time.Hour).AddDate(0, 0, w.hours/14)
	w.hours++
	return at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339)
}

// span is a body with an hour at a venue, and further fields.
func (w *walk) span(venue, fields string) string {
	start, end := w.hour()
	return fmt.Sprintf(`{"venue":%q,"start":%q,"end":%q%s}`, venue, start, end, fields)
}

func (w *walk) forLi() string { return fmt.Sprintf(`,"person":%q`, hosttest.PersonID(w.t, "li-qiang")) }

func (w *walk) id(a answer) string {
	w.t.Helper()
	return read[struct{ ID string }](w.t, a).ID
}

// Things of Li's, each another.
func (w *walk) booking() string {
	w.t.Helper()
	return w.id(w.api.want(201, "POST", apiStaffBookings, w.span("study", w.forLi())))
}

func (w *walk) request() string {
	w.t.Helper()
	return w.id(w.li.want(201, "POST", bookings, w.span("hall", "")))
}

func (w *walk) series() string {
	w.t.Helper()
	until := moment(w.t, nineAM).AddDate(0, 0, 7+w.hours/14).Format(time.DateOnly)
	return w.id(w.api.want(201, "POST", v1+"/staff/series", w.span("study", w.forLi()+`,"until":"`+until+`"`)))
}

// waits has Li wait for an hour that somebody else has, whose booking it returns.
func (w *walk) waits() (entry, taken string) {
	w.t.Helper()
	hour := w.span("music", "")
	taken = w.id(w.api.want(201, "POST", apiStaffBookings, with(fmt.Sprintf(`"person":%q`, hosttest.PersonID(w.t, "wang-guihua")), hour)))
	return w.id(w.li.want(201, "POST", v1+"/waiting-list", hour)), taken
}

func (w *walk) held() string {
	w.t.Helper()
	entry, taken := w.waits()
	w.api.want(200, "POST", apiStaffBookings+"/"+taken+"/cancel", "{}")
	waiting := read[struct{ Entries []APIEntry }](w.t, w.li.want(200, "GET", v1+"/waiting-list", "")).Entries
	i := slices.IndexFunc(waiting, func(e APIEntry) bool { return e.ID.String() == entry && e.Booking != nil })
	if i < 0 {
		w.t.Fatalf("nothing is held: %+v", waiting)
	}
	return waiting[i].Booking.String()
}

// closing is the body that closes an hour at which Li has a booking.
func (w *walk) closing(fields string) string {
	w.t.Helper()
	b := read[APIBooking](w.t, w.api.want(201, "POST", apiStaffBookings, w.span("study", w.forLi())))
	return fmt.Sprintf(`{"venue":"study","from":%q,"to":%q,"reason":"停水"%s}`, b.Start.Format(time.RFC3339), b.End.Format(time.RFC3339), fields)
}

func (w *walk) closure() string {
	w.t.Helper()
	a := w.api.want(201, "POST", v1+"/staff/closures", w.closing(""))
	return read[struct{ Closure struct{ ID string } }](w.t, a).Closure.ID
}

func (w *walk) venue() string {
	w.t.Helper()
	w.made++
	name := fmt.Sprint("pool-", w.made)
	w.api.want(200, "PUT", v1+"/staff/venues/"+name, w.spec(name))
	return name
}

func (w *walk) spec(name string) string {
	w.t.Helper()
	v := musicRoom()
	v.Name = name
	body, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}

func (w *walk) member(venue string) string {
	w.t.Helper()
	w.api.want(204, "PUT", v1+"/staff/venues/"+venue+"/members/"+hosttest.PersonID(w.t, "li-qiang"), "")
	return venue
}

// records are the entries that the manager has made, the newest first.
func (w *walk) records() []audit.Record {
	w.t.Helper()
	records, err := audit.Between(w.t.Context(), w.db, time.Time{}, w.s.clock.Now().Add(time.Hour), 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(records, func(r audit.Record) bool { return r.Actor != hosttest.PersonID(w.t, "zhou-jianguo") })
}

// use sends a request and checks which entries it makes. An entry about Li is
// written with her name. Whom a list has shown today already has no further
// entry; so those who are in lists are looked for among all.
func (w *walk) use(route string, send func() (body string), want ...string) {
	w.t.Helper()
	before := len(w.records())
	body := send()
	all := w.records()
	var got []string
	listed := false
	for i, r := range all {
		what := strings.TrimPrefix(r.Action, Name+".")
		w.actions[what] = true
		about := r.Person == hosttest.PersonID(w.t, "li-qiang")
		if r.Person != "" && !about && what != string(actionListed) && i < len(all)-before {
			w.t.Errorf("%s: an entry about somebody else: %+v", route, r)
		}
		if what == string(actionListed) {
			listed = listed || about
			continue
		}
		if about {
			what += " li"
		}
		if i < len(all)-before {
			got = append(got, what)
		}
	}
	slices.Sort(got)
	lists := slices.Contains(want, string(actionListed))
	want = slices.DeleteFunc(slices.Clone(want), func(what string) bool { return what == string(actionListed) })
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: audited %q, want %q", route, got, want)
	}
	if lists && !listed {
		w.t.Errorf("%s shows a list in which somebody is who has no entry", route)
	}
	if len(want) == 0 && (strings.Contains(body, liName) || strings.Contains(body, liPhone)) {
		w.t.Errorf("%s shows a person, and has no entry:\n%s", route, body)
	}
}

// visit is a request to a page, or what its form sends.
type visit struct {
	path string
	form url.Values
	want []string
}

// TestEveryStaffPageIsAudited walks all pages of the staff and what their forms
// do: what changes something or shows a person has an entry, what has none
// shows nobody. A route that is not in the table fails.
func TestEveryStaffPageIsAudited(t *testing.T) {
	w := newWalk(t)
	const b, v, c = "/booking/staff/bookings/", "/booking/staff/venues/", "/booking/staff/closures/"
	li := hosttest.PersonID(t, "li-qiang")
	reason := url.Values{"reason": {"停水"}}
	edited := func(path string, changes ...string) url.Values { return w.page.fields(w.page.page(path), changes...) }
	closing := func(step string) url.Values {
		var body struct{ From, To time.Time }
		if err := json.Unmarshal([]byte(w.closing("")), &body); err != nil {
			t.Fatal(err)
		}
		from := body.From.In(zone(t, "Asia/Shanghai"))
		return url.Values{
			"venue": {"study"}, "place": {"0"}, "fromDay": {from.Format(time.DateOnly)}, "fromTime": {from.Format("15:04")},
			"toDay": {from.Format(time.DateOnly)}, "toTime": {from.Add(time.Hour).Format("15:04")}, "reason": {"停水"}, "move": {"cancel"}, "step": {step},
		}
	}
	looks := func(what ...string) []string { return what }
	table := map[string]func() visit{
		"GET /booking/staff/{$}": func() visit {
			w.booking()
			return visit{path: deskMonday, want: []string{"listed", "day-view"}}
		},
		"GET " + b + "{id}":           func() visit { return visit{path: b + w.booking(), want: looks("view li")} },
		"POST " + b + "{id}/check-in": func() visit { return visit{b + w.booking() + "/check-in", url.Values{}, looks("check-in li")} },
		"POST " + b + "{id}/approve":  func() visit { return visit{b + w.request() + "/approve", url.Values{}, looks("approve li")} },
		"POST " + b + "{id}/accept":   func() visit { return visit{b + w.held() + "/accept", url.Values{}, looks("accept li")} },
		"GET " + b + "{id}/refuse":    func() visit { return visit{path: b + w.request() + "/refuse", want: looks("view li")} },
		"POST " + b + "{id}/refuse":   func() visit { return visit{b + w.request() + "/refuse", reason, looks("refuse li")} },
		"GET " + b + "{id}/cancel":    func() visit { return visit{path: b + w.booking() + "/cancel", want: looks("view li")} },
		"POST " + b + "{id}/cancel":   func() visit { return visit{b + w.booking() + "/cancel", reason, looks("cancel li")} },
		"GET " + b + "{id}/change":    func() visit { return visit{path: b + w.booking() + "/change", want: looks("view li")} },
		"POST " + b + "{id}/change": func() visit {
			id := w.booking()
			start, _ := w.hour()
			return visit{b + id + "/change", url.Values{"start": {start}, "date": {start[:10]}}, looks("change li")}
		},
		// Whom a search finds is audited by the service of residents.
		"GET /booking/staff/book": func() visit { return visit{path: deskAt9("study")} },
		"POST /booking/staff/book": func() visit {
			start, _ := w.hour()
			form := url.Values{"venue": {"study"}, "start": {start}, "who": {li}, "key": {uuid.NewString()}}
			return visit{"/booking/staff/book", form, looks("book li")}
		},
		"GET /booking/staff/requests": func() visit {
			w.request()
			return visit{path: staffRequestsPath, want: []string{"listed", "requests-view"}}
		},
		"GET /booking/staff/waiting": func() visit {
			w.waits()
			return visit{path: staffWaitingPath, want: []string{"listed", "waiting-view"}}
		},
		"GET " + c + "{$}": func() visit { w.closure(); return visit{path: c} },
		"GET " + c + "new": func() visit { return visit{path: c + "new"} },
		"POST " + c + "new": func() visit {
			return visit{c + "new", closing("close"), looks("close", "close-cancel li")}
		},
		"POST " + c + "new, only tried": func() visit {
			return visit{c + "new", closing("preview"), []string{"listed", "closure-try"}}
		},
		"GET " + c + "{id}":         func() visit { return visit{path: c + w.closure(), want: looks("closure-view", "printed li")} },
		"GET " + c + "{id}/reopen":  func() visit { return visit{path: c + w.closure() + "/reopen"} },
		"POST " + c + "{id}/reopen": func() visit { return visit{c + w.closure() + "/reopen", url.Values{}, looks("reopen")} },
		// Numbers without people.
		"GET /booking/staff/use":     func() visit { w.booking(); return visit{path: staffUsePath} },
		"GET /booking/staff/use.csv": func() visit { w.booking(); return visit{path: staffUsePath + ".csv"} },

		"GET " + v + "{$}":            func() visit { return visit{path: v} },
		"GET " + v + "{venue}/poster": func() visit { return visit{path: v + w.venue() + "/poster"} },
		"GET " + v + "{venue}/renew":  func() visit { return visit{path: v + w.venue() + "/renew"} },
		"POST " + v + "{venue}/renew": func() visit { return visit{v + w.venue() + "/renew", url.Values{}, looks("door-code-renew")} },
		"GET " + v + "new":            func() visit { return visit{path: v + "new"} },
		"POST " + v + "new": func() visit {
			return visit{v + "new", edited(v+"new", "displayName", "乒乓球室"), looks("venue-add")}
		},
		"GET " + v + "{venue}/edit":    func() visit { return visit{path: v + w.venue() + "/edit"} },
		"GET " + v + "{venue}/retire":  func() visit { return visit{path: v + w.venue() + "/retire"} },
		"POST " + v + "{venue}/retire": func() visit { return visit{v + w.venue() + "/retire", url.Values{}, looks("venue-retire")} },
		"POST " + v + "{venue}/edit": func() visit {
			path := v + w.venue() + "/edit"
			return visit{path, edited(path, "displayName", "改了名"), looks("venue-change")}
		},
		"POST " + v + "{venue}/restore": func() visit {
			name := w.venue()
			w.api.want(204, "DELETE", v1+"/staff/venues/"+name, "")
			return visit{v + name + "/restore", url.Values{}, looks("venue-restore")}
		},
		"GET " + v + "{venue}/attendants":    func() visit { return visit{path: v + "clinic/attendants"} },
		"GET " + v + "{venue}/add-attendant": func() visit { return visit{path: v + "clinic/add-attendant"} },
		"POST " + v + "{venue}/add-attendant": func() visit {
			path := v + "clinic/add-attendant"
			return visit{path, edited(path, "displayName", "赵医生"), looks("venue-change")}
		},
		"GET " + v + "{venue}/attendants/{attendant}": func() visit { return visit{path: v + "clinic/attendants/zhang"} },
		"POST " + v + "{venue}/attendants/{attendant}": func() visit {
			path := v + "clinic/attendants/zhang"
			return visit{path, edited(path, "displayName", "张大夫"), looks("venue-change")}
		},
		"GET " + v + "{venue}/attendants/{attendant}/remove": func() visit { return visit{path: v + "clinic/attendants/zhang/remove"} },
		"POST " + v + "{venue}/attendants/{attendant}/remove": func() visit {
			return visit{v + "clinic/attendants/liu/remove", url.Values{}, looks("venue-change")}
		},
		"GET " + v + "{venue}/members": func() visit {
			return visit{path: v + w.member(w.venue()) + "/members", want: []string{"listed", "members-view"}}
		},
		"POST " + v + "{venue}/members": func() visit {
			return visit{v + w.venue() + "/members", url.Values{"person": {li}}, looks("member-add li")}
		},
		"POST " + v + "{venue}/members/remove": func() visit {
			return visit{v + w.member(w.venue()) + "/members/remove", url.Values{"person": {li}}, looks("member-remove li")}
		},
	}
	for _, route := range (&service{}).staffRoutes() {
		if table[route.pattern] == nil {
			t.Errorf("%s is not in the table: say what it leaves in the audit", route.pattern)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(table)) {
		visit := table[route]()
		w.use(route, func() string {
			status, _, page := w.page.open(visit.path, visit.form)
			want := http.StatusOK
			if visit.form != nil && !strings.Contains(route, ",") {
				want = http.StatusSeeOther
			}
			if status != want {
				t.Errorf("%s: status %d:\n%s", route, status, page)
			}
			return page
		}, visit.want...)
	}
	w.verify()
}

// TestEveryStaffOperationIsAudited does the same with the API.
func TestEveryStaffOperationIsAudited(t *testing.T) {
	w := newWalk(t)
	const staff, v = v1 + "/staff", v1 + "/staff/venues/"
	type operate struct {
		path, body string
		want       []string
	}
	on := func(id, what, body string, want ...string) operate {
		return operate{apiStaffBookings + "/" + id + what, body, want}
	}
	li := hosttest.PersonID(t, "li-qiang")
	table := map[string]func() operate{
		"staff-board": func() operate {
			w.booking()
			return operate{path: staff + "/board?date=2026-11-23", want: []string{"listed", "day-view"}}
		},
		"staff-requests": func() operate {
			w.request()
			return operate{path: staff + "/requests", want: []string{"listed", "requests-view"}}
		},
		// Whom it finds is audited by the service of residents.
		"staff-find-people":    func() operate { return operate{path: staff + "/people?query=" + url.QueryEscape("钱多多")} },
		"staff-create-booking": func() operate { return operate{apiStaffBookings, w.span("study", w.forLi()), []string{"book li"}} },
		"staff-get-booking":    func() operate { return on(w.booking(), "", "", "view li") },
		"staff-change-booking": func() operate {
			id := w.booking()
			start, _ := w.hour()
			return on(id, "", fmt.Sprintf(`{"start":%q}`, start), "change li")
		},
		"staff-change-booking, as it is": func() operate { return on(w.booking(), "", "{}", "view li") },
		"staff-approve-booking":          func() operate { return on(w.request(), "/approve", "", "approve li") },
		"staff-approve-booking, again":   func() operate { return on(w.booking(), "/approve", "", "view li") },
		"staff-refuse-booking":           func() operate { return on(w.request(), "/refuse", `{"reason":"开会"}`, "refuse li") },
		"staff-accept-booking":           func() operate { return on(w.held(), "/accept", "", "accept li") },
		"staff-check-in":                 func() operate { return on(w.booking(), "/check-in", "", "check-in li") },
		"staff-cancel-booking":           func() operate { return on(w.booking(), "/cancel", "{}", "cancel li") },
		"staff-waiting-list": func() operate {
			w.waits()
			return operate{path: staff + "/waiting-list?date=2026-11-23", want: []string{"listed", "waiting-view"}}
		},
		"staff-join-waiting-list": func() operate {
			hour := w.span("music", "")
			w.api.want(201, "POST", apiStaffBookings, with(fmt.Sprintf(`"person":%q`, hosttest.PersonID(t, "wang-guihua")), hour))
			return operate{staff + "/waiting-list", with(w.forLi()[1:], hour), []string{"wait li"}}
		},
		"staff-leave-waiting-list": func() operate {
			entry, _ := w.waits()
			return operate{path: staff + "/waiting-list/" + entry, want: []string{"leave li"}}
		},
		"staff-create-series": func() operate {
			return operate{staff + "/series", w.span("study", w.forLi()+`,"until":"2026-12-20"`), []string{"book-series li"}}
		},
		"staff-create-series, only tried": func() operate {
			return operate{path: staff + "/series", body: w.span("study", w.forLi()+`,"dryRun":true,"until":"2026-12-20"`)}
		},
		"staff-cancel-series": func() operate {
			return operate{path: staff + "/series/" + w.series(), want: []string{"cancel li", "cancel li"}}
		},
		"list-closures": func() operate { w.closure(); return operate{path: staff + "/closures"} },
		"create-closure": func() operate {
			return operate{staff + "/closures", w.closing(""), []string{"close", "close-cancel li"}}
		},
		"create-closure, moving": func() operate {
			return operate{staff + "/closures", w.closing(`,"affected":"Move"`), []string{"close", "close-move li"}}
		},
		"create-closure, only tried": func() operate {
			return operate{staff + "/closures", w.closing(`,"dryRun":true`), []string{"listed", "closure-try"}}
		},
		"delete-closure": func() operate { return operate{path: staff + "/closures/" + w.closure(), want: []string{"reopen"}} },
		// Numbers without people.
		"staff-use": func() operate { w.booking(); return operate{path: staff + "/use"} },

		"get-venue":    func() operate { return operate{path: v + "study"} },
		"put-venue":    func() operate { return operate{v + "new-pool", w.spec("new-pool"), []string{"venue-add"}} },
		"retire-venue": func() operate { return operate{path: v + w.venue(), want: []string{"venue-retire"}} },
		"list-members": func() operate {
			return operate{path: v + w.member(w.venue()) + "/members", want: []string{"listed", "members-view"}}
		},
		"put-member": func() operate {
			return operate{path: v + w.venue() + "/members/" + li, want: []string{"member-add li"}}
		},
		"remove-member": func() operate {
			return operate{path: v + w.member(w.venue()) + "/members/" + li, want: []string{"member-remove li"}}
		},
		"get-door-code":   func() operate { return operate{path: v + w.venue() + "/door-code"} },
		"renew-door-code": func() operate { return operate{path: v + w.venue() + "/door-code", want: []string{"door-code-renew"}} },
	}
	methods := map[string]string{}
	for _, call := range calls(t) {
		if !strings.HasPrefix(call.path, staff+"/") {
			continue
		}
		methods[call.OperationID] = call.method
		if table[call.OperationID] == nil {
			t.Errorf("%s is not in the table: say what it leaves in the audit", call.OperationID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		id, _, _ := strings.Cut(name, ",")
		op := table[name]()
		w.use(name, func() string {
			a := w.api.do(methods[id], op.path, op.body)
			if a.Status >= 300 {
				t.Errorf("%s: status %d: %s", name, a.Status, a.Raw)
			}
			return a.Raw
		}, op.want...)
	}
	w.verify()
}

// verify checks that the chain holds, and that each action has a text.
func (w *walk) verify() {
	w.t.Helper()
	if r, err := audit.Verify(w.t.Context(), w.db); err != nil || r.Bad != nil || r.Entries == 0 {
		w.t.Errorf("the audit: %+v, %v", r, err)
	}
	for what := range w.actions {
		if actions()[Name+"."+what] == "" {
			w.t.Errorf("there is no text for what staff did: %s", what)
		}
	}
}
