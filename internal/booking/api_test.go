package booking

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// running is the service in a host, on that Monday.
type running struct {
	*hosttest.Server
	clock *testclock.FakeClock
}

// openAPI is the OpenAPI document.
type openAPI struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas         map[string]map[string]any
		SecuritySchemes map[string]any
	}
	raw []byte
}

type operation struct {
	OperationID string
	Security    []map[string][]string
	Responses   map[string]any
}

// documented is the operation that a request asks for.
func documented(t testing.TB, request *http.Request) (op operation, ok bool) {
	t.Helper()
	mux, d := document(t)
	_, pattern := mux.Handler(request)
	method, path, _ := strings.Cut(pattern, " ")
	op, ok = d.Paths[path][strings.ToLower(method)]
	return op, ok
}

// document is what the API says of itself, and its routes.
func document(t testing.TB) (*http.ServeMux, openAPI) {
	t.Helper()
	m, err := mountOnce()
	if err != nil {
		t.Fatal(err)
	}
	return m.mux.ServeMux, m.document
}

type mounted struct {
	mux      *host.Router
	document openAPI
}

var mountOnce = sync.OnceValues(func() (mounted, error) {
	m := mounted{mux: &host.Router{ServeMux: http.NewServeMux()}}
	if err := (&service{}).mountAPI(m.mux); err != nil {
		return m, err
	}
	w := httptest.NewRecorder()
	m.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+Name+"/api/openapi.json", nil))
	m.document.raw = w.Body.Bytes()
	return m, json.Unmarshal(m.document.raw, &m.document)
})

func start(t testing.TB) running {
	t.Helper()
	return startWith(t, v1alpha1.ManagedByManifest, studyRoom(), musicRoom(), clinic())
}

// startWith is start with some venues.
func startWith(t testing.TB, by v1alpha1.ManagedBy, venues ...v1alpha1.Venue) running {
	t.Helper()
	service, err := Service()
	if err != nil {
		t.Fatal(err)
	}
	community := hosttest.Community()
	community.Spec.Services.Booking = &v1alpha1.Booking{ManagedBy: by, Venues: venues}
	clock := testclock.NewFakeClock(moment(t, monday))
	server := hosttest.Start(t, hosttest.Options{Services: []host.Service{service}, Community: community, Clock: clock})
	return running{server, clock}
}

// apiClient is a program that calls the API.
type apiClient struct {
	t      testing.TB
	server running
	http   *http.Client
	token  string
}

func (r running) api(t testing.TB, account string) apiClient {
	t.Helper()
	c := apiClient{t: t, server: r, http: r.Client(t)}
	if account != "" {
		c.token = r.Token(t, account)
	}
	return c
}

type answer struct {
	Status int
	Header http.Header
	Raw    string
	// Body is what a success says, Problem what an error does.
	Body struct {
		APIBooking
		Bookings []APIBooking
		Next     string
		Slots    []apiSlot
		Venues   []apiVenue
		TimeZone string
	}
	Problem struct{ Rule, Title, Detail string }
}

func (c apiClient) do(method, path, body string, header ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{Status: response.StatusCode, Header: response.Header, Raw: string(raw)}
	var into any = &a.Body
	if a.Status >= 400 {
		into = &a.Problem
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, into); err != nil {
			c.t.Fatalf("%s %s: %s: %v in %s", method, path, response.Status, err, raw)
		}
	}
	if op, ok := documented(c.t, r); ok && op.Responses[strconv.Itoa(a.Status)] == nil && r.Header.Get("Sec-Fetch-Site") == "" {
		c.t.Errorf("%s %s answers %d, which is not documented: %s", method, path, a.Status, a.Raw)
	}
	if kind := response.Header.Get("Content-Type"); a.Status >= 400 && kind != "application/problem+json" {
		c.t.Errorf("%s %s: %s with content type %q", method, path, response.Status, kind)
	}
	return a
}

func (c apiClient) want(status int, method, path, body string, header ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, header...)
	if a.Status != status {
		c.t.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, a.Status, status, a.Raw)
	}
	return a
}

// order is the body of a request for some hours of that Monday.
func order(venue string, from, to int) string {
	return fmt.Sprintf(`{"venue":%q,"start":"2026-11-23T%02d:00:00+08:00","end":"2026-11-23T%02d:00:00+08:00"}`, venue, from, to)
}

const bookings = "/booking/api/v1/bookings"

func TestAPIJourney(t *testing.T) {
	s := start(t)
	li, wang := s.api(t, "li-qiang"), s.api(t, "wang-guihua")

	venues := s.api(t, "").want(200, "GET", "/booking/api/v1/venues", "")
	if len(venues.Body.Venues) != 3 || venues.Body.TimeZone != "Asia/Shanghai" {
		t.Fatalf("venues: %s", venues.Raw)
	}
	study := venues.Body.Venues[0]
	if study.Name != "study" || study.Capacity != 3 || study.LastDay != "2026-11-30" || study.Hours[0] != (apiHours{"Monday", "08:00", "12:00"}) || len(study.Hours) != 11 {
		t.Errorf("study room: %+v", study)
	}

	made := li.want(201, "POST", bookings, `{"venue":"study","start":"2026-11-23T01:00:00Z","end":"2026-11-23T03:00:00Z","note":"靠窗"}`)
	got := made.Body.APIBooking
	if !strings.Contains(made.Raw, `"start":"2026-11-23T09:00:00+08:00"`) || got.Place != 1 || got.Status != "booked" || got.Note != "靠窗" {
		t.Errorf("made %s", made.Raw)
	}
	own := bookings + "/" + got.ID.String()
	if location := made.Header.Get("Location"); location != own {
		t.Errorf("Location %q, want %q", location, own)
	}
	if read := li.want(200, "GET", own, ""); read.Raw != made.Raw {
		t.Errorf("read %s, made %s", read.Raw, made.Raw)
	}

	day := s.api(t, "").want(200, "GET", "/booking/api/v1/venues/study/availability?date=2026-11-23", "")
	if slots := day.Body.Slots; len(slots) != 9 || slots[1].Free != 2 || slots[1].State != "free" || slots[1].Capacity != 3 || slots[3].Free != 3 {
		t.Errorf("availability: %s", day.Raw)
	}

	// Others neither see nor cancel it.
	wang.want(404, "GET", own, "")
	wang.want(404, "DELETE", own, "")
	if list := wang.want(200, "GET", bookings, ""); len(list.Body.Bookings) != 0 {
		t.Errorf("another person's list: %s", list.Raw)
	}
	s.api(t, "sun-li").want(404, "GET", own, "")

	li.want(204, "DELETE", own, "")
	li.want(204, "DELETE", own, "")
	if read := li.want(200, "GET", own, ""); read.Body.Status != "cancelled" || read.Body.CancelledAt == nil {
		t.Errorf("after cancelling: %s", read.Raw)
	}
	day = s.api(t, "").want(200, "GET", "/booking/api/v1/venues/study/availability", "")
	if day.Body.Slots[1].Free != 3 {
		t.Errorf("availability after cancelling: %s", day.Raw)
	}
}

func TestAPIRefuses(t *testing.T) {
	s := start(t)
	li, wang := s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	li.want(201, "POST", bookings, order("music", 9, 10))
	wang.want(409, "POST", bookings, order("music", 9, 10))
	wang.want(409, "POST", bookings, order("music", 8, 10))
	li.want(201, "POST", bookings, strings.Replace(order("study", 9, 10), "{", `{"place":2,`, 1))
	wang.want(409, "POST", bookings, strings.Replace(order("study", 9, 10), "{", `{"place":2,`, 1))
	li.want(201, "POST", bookings, order("study", 10, 11))

	for _, c := range []struct{ body, rule string }{
		{order("pool", 9, 10), "unknown-venue"},
		{order("study", 19, 20), "outside-opening-hours"},
		{order("study", 13, 17), "too-long"},
		{order("study", 14, 13), "not-on-slot"},
		{order("study", 11, 12), "daily-limit"},
		{order("study", 7, 8), "in-the-past"},
		{strings.ReplaceAll(order("study", 9, 10), "-23T", "-25T"), "closed-day"},
		{strings.ReplaceAll(order("study", 9, 10), "2026", "2027"), "outside-window"},
		{strings.Replace(order("study", 9, 10), "{", `{"place":4,`, 1), "unknown-place"},
		{strings.ReplaceAll(order("study", 9, 10), ":00:00", ":00:30"), "not-on-slot"},
		{`{"venue":"study","start":"9999-12-31T00:00:00Z","end":"9999-12-31T23:00:00Z"}`, "outside-window"},
	} {
		a := li.want(422, "POST", bookings, c.body)
		if a.Problem.Rule != c.rule || a.Problem.Detail == "" || a.Problem.Title == "" {
			t.Errorf("%s: %s, want rule %s", c.body, a.Raw, c.rule)
		}
	}

	for _, c := range []struct {
		status int
		body   string
	}{
		{400, `{`},
		{400, ``},
		{422, `[]`},
		{422, `{}`},
		{422, `{"venue":"study","start":"tomorrow","end":"later"}`},
		{422, strings.Replace(order("study", 9, 10), "{", `{"place":0,`, 1)},
		{422, strings.Replace(order("study", 9, 10), "{", `{"place":1.5,`, 1)},
		{422, strings.Replace(order("study", 9, 10), "{", `{"plaice":1,`, 1)},
		{422, strings.Replace(order("study", 9, 10), "{", `{"note":"`+strings.Repeat("长", 501)+`",`, 1)},
		{413, strings.Replace(order("study", 9, 10), "{", `{"note":"`+strings.Repeat("长", 6000)+`",`, 1)},
	} {
		li.want(c.status, "POST", bookings, c.body)
	}
	li.want(404, "GET", "/booking/api/v1/venues/pool/availability", "")
	for _, path := range []string{
		"/booking/api/v1/venues/study/availability?date=2026-02-30",
		bookings + "?cursor=x", bookings + "?limit=0", bookings + "?limit=101", bookings + "?when=never", bookings + "/1",
	} {
		li.want(422, "GET", path, "")
	}

	nobody := s.api(t, "")
	for _, c := range [][3]string{
		{"POST", bookings, order("study", 9, 10)},
		{"GET", bookings},
		{"GET", bookings + "/" + uuid.NewString()},
		{"DELETE", bookings + "/" + uuid.NewString()},
	} {
		if a := nobody.want(401, c[0], c[1], c[2]); a.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: WWW-Authenticate %q", c[0], c[1], a.Header.Get("WWW-Authenticate"))
		}
	}
	nobody.want(401, "GET", bookings, "", "Authorization", "Bearer forged")
	nobody.want(401, "GET", "/booking/api/v1/venues", "", "Authorization", "Bearer forged")
	// A page elsewhere cannot make a signed-in browser book.
	li.want(403, "POST", bookings, order("clinic", 9, 10), "Sec-Fetch-Site", "cross-site")

	s.clock.SetTime(moment(t, "2026-11-23T09:00:00+08:00"))
	li = s.api(t, "li-qiang") // the token has expired by now
	begun := li.want(200, "GET", bookings+"?when=upcoming", "").Body.Bookings[0]
	if a := li.want(422, "DELETE", bookings+"/"+begun.ID.String(), ""); a.Problem.Rule != "already-begun" {
		t.Errorf("cancelling what has begun: %s", a.Raw)
	}
}

func TestAPIIdempotencyKey(t *testing.T) {
	s := start(t)
	li := s.api(t, "li-qiang")
	first := li.want(201, "POST", bookings, order("music", 9, 10), "Idempotency-Key", "a-1")
	// The same moment in another zone is the same request.
	utc := `{"venue":"music","start":"2026-11-23T01:00:00Z","end":"2026-11-23T02:00:00Z"}`
	for _, body := range []string{order("music", 9, 10), utc} {
		if again := li.want(201, "POST", bookings, body, "Idempotency-Key", "a-1"); again.Raw != first.Raw {
			t.Errorf("repeated: %s, first %s", again.Raw, first.Raw)
		}
	}
	if a := li.want(422, "POST", bookings, order("music", 10, 11), "Idempotency-Key", "a-1"); a.Problem.Rule != "idempotency-key-reused" {
		t.Errorf("another body: %s", a.Raw)
	}
	li.want(422, "POST", bookings, order("music", 10, 11), "Idempotency-Key", strings.Repeat("k", 256))

	var wg sync.WaitGroup
	ids := make(chan uuid.UUID, 8)
	for range cap(ids) {
		wg.Go(func() {
			ids <- li.want(201, "POST", bookings, order("study", 9, 10), "Idempotency-Key", "a-2").Body.ID
		})
	}
	wg.Wait()
	close(ids)
	one := <-ids
	for id := range ids {
		if id != one {
			t.Errorf("one key made bookings %s and %s", one, id)
		}
	}
}

func TestAPIPages(t *testing.T) {
	s := start(t)
	li := s.api(t, "li-qiang")
	want := map[uuid.UUID]bool{}
	for _, venue := range []string{"study", "music", "clinic"} {
		for _, hour := range []int{9, 14} {
			want[li.want(201, "POST", bookings, order(venue, hour, hour+1)).Body.ID] = true
		}
	}
	path, pages := bookings+"?limit=4", 0
	for path != "" {
		page := li.want(200, "GET", path, "")
		for _, b := range page.Body.Bookings {
			if !want[b.ID] {
				t.Errorf("booking %s is listed twice or is not ours", b.ID)
			}
			delete(want, b.ID)
		}
		path, pages = "", pages+1
		if page.Body.Next != "" {
			path = bookings + "?limit=4&cursor=" + page.Body.Next
		}
	}
	if pages != 2 || len(want) != 0 {
		t.Errorf("%d pages, %d bookings not listed", pages, len(want))
	}
}

// TestOpenAPI checks that the document has the operations, that its references
// lead somewhere, and that every operation documents its errors.
func TestOpenAPI(t *testing.T) {
	s := start(t)
	r, err := s.Client(t).Get(s.URL + "/" + Name + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	document := openAPI{raw: []byte(body(t, r))}
	if err := json.Unmarshal(document.raw, &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Title == "" || document.Info.Version == "" {
		t.Errorf("version %q, info %+v", document.OpenAPI, document.Info)
	}
	for _, c := range []struct {
		path, method string
		statuses     []string
	}{
		{"/booking/api/v1/venues", "get", []string{"200", "401", "500"}},
		{"/booking/api/v1/venues/{venue}/availability", "get", []string{"200", "401", "404", "422", "500"}},
		{bookings, "post", []string{"201", "400", "401", "403", "409", "413", "422", "429", "500"}},
		{bookings, "get", []string{"200", "401", "403", "422", "500"}},
		{bookings + "/{id}", "get", []string{"200", "401", "403", "404", "422", "500"}},
		{bookings + "/{id}", "delete", []string{"204", "401", "403", "404", "422", "500"}},
	} {
		op, ok := document.Paths[c.path][c.method]
		if !ok || op.OperationID == "" {
			t.Errorf("%s %s is not documented", c.method, c.path)
		}
		if got := slices.Sorted(maps.Keys(op.Responses)); !slices.Equal(got, c.statuses) {
			t.Errorf("%s %s documents %v, want %v", c.method, c.path, got, c.statuses)
		}
		if personal := strings.HasPrefix(c.path, bookings); personal != (len(op.Security) > 0) {
			t.Errorf("%s %s: security %v", c.method, c.path, op.Security)
		}
	}
	refs := regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllSubmatch(document.raw, -1)
	if len(refs) == 0 {
		t.Error("nothing is referred to")
	}
	for _, ref := range refs {
		if document.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("schema %s is referred to and missing", ref[1])
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(Cursor{Start: moment(f, monday), ID: uuid.New()}.String())
	f.Add("")
	f.Add("MTIzLg")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil || s == "" {
			return
		}
		back, err := ParseCursor(c.String())
		if err != nil || !back.Start.Equal(c.Start) || back.ID != c.ID {
			t.Errorf("%q was read as %v, written as %q, and read as %v, %v", s, c, c.String(), back, err)
		}
	})
}
