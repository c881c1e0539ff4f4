package booking

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// call is an operation with ids in its path.
type call struct {
	operation
	method, path string
}

// calls are all operations of the API.
func calls(t testing.TB) []call {
	t.Helper()
	_, document := document(t)
	var all []call
	for path, methods := range document.Paths {
		for method, op := range methods {
			path := strings.NewReplacer("{id}", uuid.NewString(), "{venue}", "study", "{person}", "nobody").Replace(path)
			all = append(all, call{op, strings.ToUpper(method), path})
		}
	}
	return all
}

// TestAPIStaffOnly walks all operations of the staff with who may not use them.
func TestAPIStaffOnly(t *testing.T) {
	s := complete(t)
	forManagers := []string{"get-venue", "put-venue", "retire-venue", "put-member", "remove-member", "renew-door-code"}
	nobody, resident, desk, manager := s.api(t, ""), s.api(t, "li-qiang"), s.api(t, "sun-li"), s.api(t, "zhou-jianguo")
	n := 0
	for _, op := range calls(t) {
		if !strings.HasPrefix(op.path, v1+"/staff/") {
			continue
		}
		n++
		if op.Responses["401"] == nil || op.Responses["403"] == nil {
			t.Errorf("%s documents %v", op.OperationID, op.Responses)
		}
		nobody.want(http.StatusUnauthorized, op.method, op.path, "{}")
		resident.want(http.StatusForbidden, op.method, op.path, "{}")
		if slices.Contains(forManagers, op.OperationID) {
			desk.want(http.StatusForbidden, op.method, op.path, "{}")
		} else if a := desk.do(op.method, op.path, "{}"); a.Status == http.StatusForbidden || a.Status >= 500 {
			t.Errorf("%s at the desk: %s", op.OperationID, a.Raw)
		}
		if a := manager.do(op.method, op.path, "{}"); a.Status == http.StatusForbidden || a.Status >= 500 {
			t.Errorf("%s as a manager: %s", op.OperationID, a.Raw)
		}
	}
	if n != 28 {
		t.Errorf("%d operations of the staff, want 28", n)
	}
}

const apiStaffBookings = v1 + "/staff/bookings"

type staffList struct {
	Date     string
	Bookings []staffBooking
}

func TestAPIStaffBooksForGuests(t *testing.T) {
	s := complete(t)
	desk := s.api(t, "sun-li")
	const guest = `"guest":{"name":"刘 奶奶","phone":"138-0000-0099"}`
	made := desk.want(201, "POST", apiStaffBookings, with(guest, order("music", 9, 10)), "Idempotency-Key", "g-1")
	b := read[staffBooking](t, made)
	if b.Name != "刘 奶奶" || b.Phone != "13800000099" || b.Status != "booked" || b.BookedBy != desk.id() || b.CheckedInAt != nil {
		t.Errorf("for a guest: %s", made.Raw)
	}
	own := apiStaffBookings + "/" + b.ID.String()
	if made.Header.Get("Location") != own || made.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", made.Header)
	}
	if again := desk.want(201, "POST", apiStaffBookings, with(guest, order("music", 9, 10)), "Idempotency-Key", "g-1"); again.Raw != made.Raw {
		t.Errorf("repeated: %s, first %s", again.Raw, made.Raw)
	}
	desk.want(409, "POST", apiStaffBookings, with(guest, order("music", 9, 10)))
	// The same guest, however written, has the limits of one person.
	desk.want(201, "POST", apiStaffBookings, with(`"guest":{"name":" 刘  奶奶 ","phone":"138 0000 0099"}`, order("music", 10, 11)))
	desk.refused(422, RuleDailyLimit, "POST", apiStaffBookings, with(guest, order("music", 11, 12)))

	// A booking for a resident is the resident's.
	li := s.api(t, "li-qiang")
	person := fmt.Sprintf(`"person":%q`, li.id())
	for_ := read[staffBooking](t, desk.want(201, "POST", apiStaffBookings, with(person, order("hall", 9, 10))))
	if for_.Name != "李强" || for_.Phone != "13800000002" || for_.Status != "booked" {
		t.Errorf("for a resident: %+v", for_)
	}
	seen := li.want(200, "GET", bookings+"/"+for_.ID.String(), "")
	for _, private := range []string{"13800000002", "李强", desk.id()} {
		if strings.Contains(seen.Raw, private) {
			t.Errorf("the resident's answer has %s: %s", private, seen.Raw)
		}
	}
	// Ages and members are the staff's to judge, and how far ahead too.
	desk.want(201, "POST", apiStaffBookings, with(person, order("gym", 9, 10)))
	desk.want(201, "POST", apiStaffBookings, with(person, strings.ReplaceAll(order("music", 9, 10), "2026-11-23T", "2027-03-01T")))

	for _, body := range []string{
		order("music", 14, 15),
		with(person+","+guest, order("music", 14, 15)),
		with(`"person":"nobody"`, order("music", 14, 15)),
		with(`"guest":{"name":"","phone":"13800000099"}`, order("music", 14, 15)),
		with(`"guest":{"name":"刘","phone":"call me"}`, order("music", 14, 15)),
		with(`"guest":{"name":"刘"}`, order("music", 14, 15)),
		with(guest, order("pool", 14, 15)),
		with(guest, order("music", 19, 20)),
		with(guest, `{"venue":"music","start":"9999-12-31T23:00:00+08:00","end":"9999-12-31T24:00:00+08:00"}`),
		with(guest, `{"venue":"music","start":"1999-12-31T23:00:00+08:00","end":"2000-12-31T23:30:00+08:00"}`),
	} {
		desk.want(422, "POST", apiStaffBookings, body)
	}
	desk.want(413, "POST", apiStaffBookings, with(`"note":"`+strings.Repeat("长", 6000)+`"`, order("music", 14, 15)))

	// Somebody at the desk has the rest of a slot.
	s.clock.SetTime(moment(t, "2026-11-23T14:30:00+08:00"))
	desk = s.api(t, "sun-li")
	now := read[staffBooking](t, desk.want(201, "POST", apiStaffBookings, with(guest+`,"present":true`, order("study", 14, 15))))
	if now.CheckedInAt == nil {
		t.Errorf("at the desk: %+v", now)
	}
}

func TestAPIStaffDesk(t *testing.T) {
	s := complete(t)
	desk, li, wang := s.api(t, "sun-li"), s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	asked := li.want(201, "POST", bookings, order("hall", 9, 10)).Body
	other := wang.want(201, "POST", bookings, order("hall", 10, 11)).Body
	if asked.Status != "requested" || asked.DueAt == nil {
		t.Errorf("asked: %+v", asked.APIBooking)
	}
	requests := func() []staffBooking {
		t.Helper()
		return read[staffList](t, desk.want(200, "GET", v1+"/staff/requests", "")).Bookings
	}
	if r := requests(); len(r) != 2 || r[0].ID != asked.ID || r[0].Name != "李强" || r[0].Phone != "13800000002" {
		t.Errorf("requests: %+v", r)
	}
	at := func(id uuid.UUID, what string) string { return apiStaffBookings + "/" + id.String() + what }
	for range 2 {
		if b := read[staffBooking](t, desk.want(200, "POST", at(asked.ID, "/approve"), "")); b.Status != "booked" {
			t.Errorf("approved: %+v", b)
		}
		if b := read[staffBooking](t, desk.want(200, "POST", at(other.ID, "/refuse"), `{"reason":"当天有活动"}`)); b.Status != "refused" || b.Reason != "当天有活动" {
			t.Errorf("refused: %+v", b)
		}
	}
	if seen := wang.want(200, "GET", bookings+"/"+other.ID.String(), "").Body; seen.Reason != "当天有活动" {
		t.Errorf("the reason is not told: %+v", seen.APIBooking)
	}
	if r := requests(); len(r) != 0 {
		t.Errorf("requests that were answered: %+v", r)
	}
	desk.want(422, "POST", at(other.ID, "/refuse"), `{"reason":""}`)
	desk.want(422, "POST", at(other.ID, "/refuse"), `{}`)
	desk.want(400, "POST", at(other.ID, "/refuse"), ``)
	desk.refused(422, RuleNotRequested, "POST", at(asked.ID, "/refuse"), `{"reason":"x"}`)
	desk.refused(422, RuleNotRequested, "POST", at(other.ID, "/approve"), "")

	moved := read[staffBooking](t, desk.want(200, "PATCH", at(asked.ID, ""), `{"start":"2026-11-23T14:00:00+08:00"}`))
	if moved.Start.Hour() != 14 || moved.Status != "booked" {
		t.Errorf("moved: %+v", moved)
	}
	desk.want(422, "PATCH", at(asked.ID, ""), `{"start":"9999-12-31T23:00:00Z"}`)
	if in := read[staffBooking](t, desk.want(200, "POST", at(asked.ID, "/check-in"), "")); in.CheckedInAt == nil {
		t.Errorf("checked in: %+v", in)
	}
	// The staff may cancel what has begun, with a reason or without.
	visit := li.want(201, "POST", bookings, order("clinic", 8, 9)).Body
	study := li.want(201, "POST", bookings, order("study", 8, 9)).Body
	s.clock.SetTime(moment(t, "2026-11-23T08:10:00+08:00"))
	if b := read[staffBooking](t, desk.want(200, "POST", at(visit.ID, "/cancel"), `{"reason":"医生生病"}`)); b.Status != "cancelled" || b.Reason != "医生生病" {
		t.Errorf("cancelled: %+v", b)
	}
	for range 2 {
		desk.want(200, "POST", at(study.ID, "/cancel"), "")
	}
	for _, what := range []string{"", "/approve", "/check-in", "/cancel"} {
		method := "POST"
		if what == "" {
			method = "GET"
		}
		desk.want(404, method, at(uuid.New(), what), "")
		desk.want(422, method, apiStaffBookings+"/1"+what, "")
	}

	board := read[staffList](t, desk.want(200, "GET", v1+"/staff/board?date=2026-11-23", ""))
	if board.Date != "2026-11-23" || len(board.Bookings) != 4 || board.Bookings[0].Name != "李强" {
		t.Errorf("board: %+v", board)
	}
	if today := desk.want(200, "GET", v1+"/staff/board", ""); read[staffList](t, today).Date != "2026-11-23" || today.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("today: %s, %v", today.Raw, today.Header)
	}
	if b := read[staffList](t, desk.want(200, "GET", v1+"/staff/board?date=2026-11-24", "")); len(b.Bookings) != 0 {
		t.Errorf("another day: %+v", b)
	}
	for _, date := range []string{"2026-02-30", "tomorrow", "9999-12-31"} {
		desk.want(422, "GET", v1+"/staff/board?date="+date, "")
		desk.want(422, "GET", v1+"/staff/waiting-list?date="+date, "")
	}

	wang.want(201, "POST", bookings, order("music", 15, 16))
	li.want(201, "POST", v1+"/waiting-list", order("music", 15, 16))
	type waiting struct{ Entries []staffEntry }
	if e := read[waiting](t, desk.want(200, "GET", v1+"/staff/waiting-list", "")).Entries; len(e) != 1 || e[0].Name != "李强" || e[0].Phone == "" || e[0].Status != "waiting" {
		t.Errorf("who waits: %+v", e)
	}
	type people struct{ People []staffPerson }
	if p := read[people](t, desk.want(200, "GET", v1+"/staff/people?query=guihua", "")).People; len(p) != 1 || p[0].Name != "王桂花" || p[0].ID != wang.id() {
		t.Errorf("found: %+v", p)
	}
	if p := read[people](t, desk.want(200, "GET", v1+"/staff/people?query=13", "")).People; len(p) != 0 {
		t.Errorf("found by two digits: %+v", p)
	}
	desk.want(422, "GET", v1+"/staff/people", "")
	desk.want(422, "GET", v1+"/staff/people?query="+strings.Repeat("x", 61), "")
}

// TestAPIStaffForOthers: what residents can do for themselves the staff can do
// for people who call.
func TestAPIStaffForOthers(t *testing.T) {
	s := complete(t)
	desk, li := s.api(t, "sun-li"), s.api(t, "li-qiang")
	const guest = `"guest":{"name":"刘奶奶","phone":"13800000099"}`
	taken := li.want(201, "POST", bookings, order("hall", 9, 10)).Body

	list := v1 + "/staff/waiting-list"
	joined := desk.want(201, "POST", list, with(guest, order("hall", 9, 10)))
	if e := read[staffEntry](t, joined); e.Name != "刘奶奶" || e.Phone != "13800000099" || e.Status != "waiting" {
		t.Errorf("joined: %s", joined.Raw)
	}
	desk.refused(422, RuleStillFree, "POST", list, with(guest, order("hall", 10, 11)))
	desk.refused(422, RuleUnknownPerson, "POST", list, with(`"person":"nobody"`, order("hall", 9, 10)))
	desk.want(422, "POST", list, order("hall", 9, 10))
	desk.want(422, "POST", list, with(guest, `{"venue":"hall","start":"9999-12-31T23:00:00+08:00","end":"9999-12-31T24:00:00+08:00"}`))
	desk.want(200, "POST", apiStaffBookings+"/"+taken.ID.String()+"/cancel", "")
	type waiting struct{ Entries []staffEntry }
	entry := read[waiting](t, desk.want(200, "GET", list, "")).Entries[0]
	if entry.Booking == nil {
		t.Fatalf("nothing was offered: %+v", entry)
	}
	accept := apiStaffBookings + "/" + entry.Booking.String() + "/accept"
	li.want(404, "POST", bookings+"/"+entry.Booking.String()+"/accept", "")
	for range 2 {
		if b := read[staffBooking](t, desk.want(200, "POST", accept, "")); b.Status != "booked" || b.Name != "刘奶奶" {
			t.Errorf("accepted: %+v", b)
		}
	}
	mine := li.want(201, "POST", v1+"/waiting-list", order("hall", 9, 10)).Body.ID
	for range 2 {
		desk.want(204, "DELETE", list+"/"+mine.String(), "")
	}
	desk.want(404, "DELETE", list+"/"+uuid.NewString(), "")
	desk.want(422, "DELETE", list+"/1", "")

	type series struct {
		ID    uuid.UUID
		Weeks []apiWeek
	}
	weekly := with(guest+`,"until":"2026-12-14"`, order("gym", 9, 10))
	if dry := read[series](t, desk.want(200, "POST", v1+"/staff/series", with(`"dryRun":true`, weekly))); len(dry.Weeks) != 4 || !dry.Weeks[3].Free {
		t.Errorf("tried: %+v", dry)
	}
	made := read[series](t, desk.want(201, "POST", v1+"/staff/series", weekly, "Idempotency-Key", "s-1"))
	if again := read[series](t, desk.want(201, "POST", v1+"/staff/series", weekly, "Idempotency-Key", "s-1")); again.ID != made.ID {
		t.Errorf("repeated: %+v, first %+v", again, made)
	}
	desk.want(409, "POST", v1+"/staff/series", weekly)
	desk.want(422, "POST", v1+"/staff/series", with(`"until":"2026-12-14"`, order("gym", 9, 10)))
	type cancelled struct{ Cancelled []APIBooking }
	li.want(404, "DELETE", v1+"/series/"+made.ID.String(), "")
	if c := read[cancelled](t, desk.want(200, "DELETE", v1+"/staff/series/"+made.ID.String(), "")).Cancelled; len(c) != 4 {
		t.Errorf("cancelled: %+v", c)
	}
	desk.want(404, "DELETE", v1+"/staff/series/"+uuid.NewString(), "")
}

type closing struct {
	Closure  apiClosure
	Affected []apiAffected
}

func closeBody(venue, from, to string) string {
	return fmt.Sprintf(`{"venue":%q,"from":"2026-11-23T%s:00+08:00","to":"2026-11-23T%s:00+08:00","reason":"停水"}`, venue, from, to)
}

func TestAPIStaffCloses(t *testing.T) {
	s := complete(t)
	desk, li, wang := s.api(t, "sun-li"), s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	closures := v1 + "/staff/closures"
	with9 := li.want(201, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 9, 10))).Body
	late := wang.want(201, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 11, 12))).Body

	morning := with(`"attendant":"dr-he"`, closeBody("clinic", "08:00", "10:00"))
	dry := read[closing](t, desk.want(200, "POST", closures, with(`"dryRun":true`, morning)))
	if dry.Closure.ID != nil || len(dry.Affected) != 1 || dry.Affected[0].After.Status != "cancelled" {
		t.Errorf("tried: %+v", dry)
	}
	type list struct{ Closures []apiClosure }
	if l := read[list](t, desk.want(200, "GET", closures, "")).Closures; len(l) != 0 {
		t.Errorf("a dry run closed %+v", l)
	}
	move := with(`"affected":"Move"`, morning)
	made := read[closing](t, desk.want(201, "POST", closures, move, "Idempotency-Key", "c-1"))
	if again := read[closing](t, desk.want(201, "POST", closures, move, "Idempotency-Key", "c-1")); *again.Closure.ID != *made.Closure.ID || len(again.Affected) != 1 {
		t.Errorf("repeated: %+v, made %+v", again, made)
	}
	desk.refused(422, ruleKeyReused, "POST", closures, morning, "Idempotency-Key", "c-1")
	if a := made.Affected; made.Closure.ID == nil || made.Closure.Attendant != "dr-he" || made.Closure.Place != 1 || len(a) != 1 ||
		a[0].Before.ID != with9.ID || a[0].Before.Attendant != "dr-he" || a[0].After.Attendant != "dr-qin" || a[0].After.Phone != "13800000002" || a[0].After.Start.Hour() != 9 {
		t.Errorf("moved: %+v", made)
	}
	if l := read[list](t, desk.want(200, "GET", closures, "")).Closures; len(l) != 1 || *l[0].ID != *made.Closure.ID || l[0].Reason != "停水" || l[0].Attendant != "dr-he" {
		t.Errorf("closed: %+v", l)
	}
	if seen := s.api(t, "").want(200, "GET", v1+"/venues", "").Body.Venues[2].Closures; len(seen) != 1 || seen[0].Reason != "停水" || seen[0].Attendant != "dr-he" {
		t.Errorf("residents see %+v", seen)
	}
	refused := wang.want(422, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 8, 9)))
	if refused.Problem.Rule != string(RuleClosure) || !strings.Contains(refused.Problem.Detail, "停水") {
		t.Errorf("booking what is closed: %s", refused.Raw)
	}
	all := read[closing](t, desk.want(201, "POST", closures, closeBody("clinic", "08:00", "18:00")))
	if a := all.Affected; len(a) != 2 || a[1].Before.ID != late.ID || a[0].After.Status != "cancelled" || a[1].After.Reason != "停水" || all.Closure.Place != 0 {
		t.Errorf("cancelled: %+v", a)
	}
	for _, c := range []*apiClosure{&made.Closure, &all.Closure} {
		for range 2 {
			desk.want(204, "DELETE", closures+"/"+c.ID.String(), "")
		}
	}
	wang.want(201, "POST", bookings, with(`"attendant":"dr-he"`, order("clinic", 8, 9)))
	desk.want(404, "DELETE", closures+"/"+uuid.NewString(), "")
	desk.want(422, "DELETE", closures+"/1", "")

	for _, c := range []struct {
		rule Rule
		body string
	}{
		{RuleUnknownVenue, closeBody("pool", "08:00", "10:00")},
		{RuleUnknownVenue, with(`"place":9`, closeBody("study", "08:00", "10:00"))},
		{RuleUnknownPlace, with(`"attendant":"dr-no"`, closeBody("clinic", "08:00", "10:00"))},
		{RuleInThePast, closeBody("study", "06:00", "07:00")},
		{RuleInThePast, closeBody("study", "10:00", "09:00")},
		{"", strings.Replace(closeBody("study", "08:00", "10:00"), "停水", "", 1)},
		{"", strings.Replace(closeBody("study", "08:00", "10:00"), `to":"2026`, `to":"9999`, 1)},
		{"", with(`"affected":"Ignore"`, closeBody("study", "08:00", "10:00"))},
	} {
		if a := desk.want(422, "POST", closures, c.body); a.Problem.Rule != string(c.rule) {
			t.Errorf("%s: %s, want rule %q", c.body, a.Raw, c.rule)
		}
	}
}

func TestAPIStaffUse(t *testing.T) {
	s := complete(t)
	manager, li := s.api(t, "zhou-jianguo"), s.api(t, "li-qiang")
	manager.want(200, "PUT", v1+"/staff/venues/formula", `{"name":"formula","displayName":"=HYPERLINK(\"http://evil\")","kind":"Room","slotMinutes":60,
		"hours":[{"days":["Monday"],"from":"08:00","to":"12:00"}]}`)
	li.want(201, "POST", bookings, order("formula", 9, 10))
	li.want(201, "POST", bookings, order("study", 9, 11))
	cancelled := li.want(201, "POST", bookings, order("study", 14, 15)).Body.ID.String()
	li.want(204, "DELETE", bookings+"/"+cancelled, "")

	use := v1 + "/staff/use"
	list := read[useList](t, manager.want(200, "GET", use, ""))
	want := []apiUse{
		{"formula", `=HYPERLINK("http://evil")`, "2026-11", "booked", 1, 60},
		{"study", "自习室", "2026-11", "booked", 1, 120},
		{"study", "自习室", "2026-11", "cancelled", 1, 60},
	}
	if list.From != "2025-12" || list.To != "2026-11" || !slices.Equal(list.Use, want) {
		t.Errorf("use: %+v", list)
	}
	if l := read[useList](t, manager.want(200, "GET", use+"?from=2026-12&to=2026-12", "")); len(l.Use) != 0 {
		t.Errorf("another month: %+v", l)
	}
	const table = "\ufeffvenue,displayName,month,status,bookings,minutes\r\n" +
		"formula,\"'=HYPERLINK(\"\"http://evil\"\")\",2026-11,booked,1,60\r\n" +
		"study,自习室,2026-11,booked,1,120\r\nstudy,自习室,2026-11,cancelled,1,60\r\n"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+use+"?from=2026-01", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+manager.token)
	r.Header.Set("Accept", "text/csv")
	response, err := manager.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, response); got != table {
		t.Errorf("CSV: %q, want %q", got, table)
	}
	if h := response.Header; h.Get("Content-Type") != "text/csv; charset=utf-8" || h.Get("Content-Disposition") != `attachment; filename="use-2026-01-2026-11.csv"` ||
		!slices.Contains(h.Values("Vary"), "Accept") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("CSV: %v", h)
	}
	for _, query := range []string{"from=2026-13", "from=2026", "to=x", "from=2026-12&to=2026-11", "from=2026-01-01", "from=1026-01"} {
		manager.want(422, "GET", use+"?"+query, "")
	}
}
