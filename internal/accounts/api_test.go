package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// running is the service in a host on that Monday, beside a canteen.
type running struct {
	*hosttest.Server
	clock *testclock.FakeClock
	// canteen reaches the service as another one of the community.
	canteen *http.Client
}

func start(t testing.TB) running {
	t.Helper()
	accounts, err := Service()
	if err != nil {
		t.Fatal(err)
	}
	r := running{clock: testclock.NewFakeClock(monday)}
	canteen := host.Service{Name: "canteen", Register: func(_ context.Context, rt *host.Runtime) error {
		r.canteen = rt.Client(Name)
		return nil
	}}
	r.Server = hosttest.Start(t, hosttest.Options{Services: []host.Service{accounts, canteen}, Clock: r.clock})
	return r
}

type answer struct {
	Status int
	Header http.Header
	Raw    string
	// Body is what a success says, Problem what an error does.
	Body    map[string]any
	Problem struct {
		Rule, Title, Detail, State string
		Available                  *int64
	}
}

// number is a number in the body.
func (a answer) number(name string) int64 {
	n, _ := a.Body[name].(float64)
	return int64(n)
}

func ask(t testing.TB, client *http.Client, method, url, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: response.StatusCode, Header: response.Header, Raw: string(raw)}
	var into any = &a.Body
	kind := "application/json"
	if a.Status >= 400 {
		into, kind = &a.Problem, "application/problem+json"
	}
	if got := response.Header.Get("Content-Type"); got != kind {
		t.Errorf("%s %s: %s with content type %q: %s", method, url, response.Status, got, raw)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s %s: %s: %v in %s", method, url, response.Status, err, raw)
	}
	return a
}

// inside asks as the canteen does.
func (r running) inside(t testing.TB, status int, method, path, body string) answer {
	t.Helper()
	a := ask(t, r.canteen, method, "http://accounts/accounts/internal/v1/"+path, body)
	if a.Status != status {
		t.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, a.Status, status, a.Raw)
	}
	return a
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
	return apiClient{t: t, server: r, http: r.Client(t), token: r.Token(t, account)}
}

func (c apiClient) want(status int, method, path, body string, header ...string) answer {
	c.t.Helper()
	a := ask(c.t, c.http, method, c.server.URL+"/accounts/api/v1"+path, body, append(header, "Authorization", "Bearer "+c.token)...)
	if a.Status != status {
		c.t.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, a.Status, status, a.Raw)
	}
	if !documented(c.t, method, path, a.Status) {
		c.t.Errorf("%s %s answers %d, which is not documented", method, path, a.Status)
	}
	return a
}

// documented reports whether the OpenAPI document has that answer.
func documented(t testing.TB, method, path string, status int) bool {
	t.Helper()
	mux, paths := document(t)
	_, pattern := mux.Handler(httptest.NewRequest(method, "/accounts/api/v1"+path, nil))
	_, route, _ := strings.Cut(pattern, " ")
	_, ok := paths[route][strings.ToLower(method)].Responses[strconv.Itoa(status)]
	return ok
}

type operation struct{ Responses map[string]any }

var documentOnce = sync.OnceValues(func() (*host.Router, error) {
	mux := &host.Router{ServeMux: http.NewServeMux()}
	return mux, (&service{}).mountAPI(mux)
})

func document(t testing.TB) (*host.Router, map[string]map[string]operation) {
	t.Helper()
	mux, err := documentOnce()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/accounts/api/openapi.json", nil))
	var d struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return mux, d.Paths
}

// topUp pays in as the front desk does.
func (r running) topUp(t testing.TB, account string, amount int64) answer {
	t.Helper()
	body := fmt.Sprintf(`{"person":%q,"amount":%d}`, hosttest.PersonID(t, account), amount)
	return r.api(t, "sun-li").want(201, "POST", "/staff/top-ups", body, "Idempotency-Key", nextKey())
}

var keys struct {
	sync.Mutex
	n int
}

func nextKey() string {
	keys.Lock()
	defer keys.Unlock()
	keys.n++
	return fmt.Sprint("key-", keys.n)
}

func TestInternalAPI(t *testing.T) {
	s := start(t)
	li := hosttest.PersonID(t, "li-qiang")
	if a := s.inside(t, 200, "GET", "people/"+li, ""); a.number("balance") != 0 || a.number("available") != 0 {
		t.Errorf("no purse: %s", a.Raw)
	}
	s.topUp(t, "li-qiang", 2_000)

	hold := func(revision, amount int) string {
		return fmt.Sprintf(`{"revision":%d,"person":%q,"amount":%d,"expiresAt":"2026-11-23T13:00:00+08:00","about":"o1","memo":{"zh-CN":"午餐","en":"lunch"}}`, revision, li, amount)
	}
	for range 2 {
		a := s.inside(t, 200, "PUT", "holds/o1", hold(1, 1_200))
		if a.Body["id"] != "o1" || a.number("revision") != 1 || a.number("amount") != 1_200 || a.Body["state"] != "Held" {
			t.Errorf("held: %s", a.Raw)
		}
	}
	for range 2 {
		if a := s.inside(t, 422, "PUT", "holds/o1", hold(2, 2_001)); a.Problem.Rule != "insufficient" || *a.Problem.Available != 800 {
			t.Errorf("refused: %s", a.Raw)
		}
	}
	if a := s.inside(t, 409, "PUT", "holds/o1", hold(1, 1_200)); a.Problem.Rule != "superseded" {
		t.Errorf("superseded: %s", a.Raw)
	}
	if a := s.inside(t, 200, "GET", "people/"+li, ""); a.number("balance") != 2_000 || a.number("held") != 1_200 || a.number("available") != 800 {
		t.Errorf("purse: %s", a.Raw)
	}
	for range 2 {
		if a := s.inside(t, 200, "POST", "holds/o1/capture", `{"amount":1000,"subsidy":500}`); a.Body["state"] != "Captured" || a.number("captured") != 1_000 {
			t.Errorf("captured: %s", a.Raw)
		}
	}
	if a := s.inside(t, 409, "PUT", "holds/o1", hold(3, 1)); a.Problem.Rule != "not-held" || a.Problem.State != "Captured" {
		t.Errorf("held after capture: %s", a.Raw)
	}
	if a := s.inside(t, 409, "POST", "holds/o1/release", ""); a.Problem.Rule != "not-held" {
		t.Errorf("released after capture: %s", a.Raw)
	}
	s.inside(t, 404, "POST", "holds/o9/capture", `{"amount":1}`)
	s.inside(t, 200, "POST", "holds/o9/release", "")
	if a := s.inside(t, 409, "PUT", "holds/o9", hold(1, 1)); a.Problem.State != "Released" {
		t.Errorf("held after release: %s", a.Raw)
	}
	for range 2 {
		s.inside(t, 200, "POST", "sales/s1", fmt.Sprintf(`{"amount":900,"subsidy":100,"person":%q,"actor":"cook","about":"o2","memo":{"zh-CN":"午餐","en":"lunch"}}`, li))
		s.inside(t, 200, "POST", "refunds/r1", `{"of":"holds/o1","amount":300,"subsidy":100,"to":"Purse"}`)
		s.inside(t, 200, "POST", "refunds/r2", `{"of":"sales/s1","amount":900,"subsidy":100,"to":"Cash"}`)
	}
	if a := s.inside(t, 422, "POST", "refunds/r3", `{"of":"holds/o1","amount":701,"to":"Purse"}`); a.Problem.Rule != "too-much" {
		t.Errorf("refunded too much: %s", a.Raw)
	}
	s.inside(t, 404, "POST", "refunds/r3", `{"of":"holds/none","amount":1,"to":"Purse"}`)
	a := s.inside(t, 200, "GET", "totals?from=2026-11-01&to=2026-11-30", "")
	if want := `{"months":[{"month":"2026-11","revenue":1100,"subsidy":400,"transactions":4}]}`; strings.TrimSpace(a.Raw) != want {
		t.Errorf("totals %s, want %s", a.Raw, want)
	}
	s.inside(t, 422, "GET", "totals?from=2026-11-01&to=soon", "")
	s.inside(t, 422, "PUT", "holds/o1", `{`)

	// Nobody else gets there.
	for _, account := range []string{"li-qiang", "sun-li"} {
		a := ask(t, s.Client(t), "GET", s.URL+"/accounts/internal/v1/people/"+li, "", "Authorization", "Bearer "+s.Token(t, account))
		if a.Status != 404 {
			t.Errorf("%s reaches the services' own API: %d", account, a.Status)
		}
	}
}

func TestOwnAPI(t *testing.T) {
	s := start(t)
	li := s.api(t, "li-qiang")
	if a := li.want(200, "GET", "/purse", ""); a.number("balance") != 0 || a.Body["person"] != hosttest.PersonID(t, "li-qiang") {
		t.Errorf("no purse yet: %s", a.Raw)
	}
	li.want(200, "GET", "/statement", "")
	s.topUp(t, "li-qiang", 2_000)
	s.inside(t, 200, "PUT", "holds/o1", fmt.Sprintf(`{"revision":1,"person":%q,"amount":500,"expiresAt":"2026-11-23T13:00:00+08:00","about":"o1","memo":{"zh-CN":"午餐","en":"lunch"}}`, hosttest.PersonID(t, "li-qiang")))
	if a := li.want(200, "GET", "/purse", ""); a.number("available") != 1_500 || !strings.Contains(a.Raw, `"about":"o1"`) {
		t.Errorf("own purse: %s", a.Raw)
	}
	if a := li.want(200, "GET", "/statement?month=2026-11", ""); a.number("after") != 2_000 || !strings.Contains(a.Raw, `"receipt":"2026-000001"`) {
		t.Errorf("statement: %s", a.Raw)
	}
	li.want(422, "GET", "/statement?month=2026", "")
	li.want(403, "GET", "/purse?person="+hosttest.PersonID(t, "sun-li"), "")
	// Of those for whom one orders, how much there is but not for what.
	s.topUp(t, "wang-guihua", 3_000)
	s.inside(t, 200, "PUT", "holds/o2", fmt.Sprintf(`{"revision":1,"person":%q,"amount":500,"expiresAt":"2026-11-23T13:00:00+08:00","about":"o2"}`, hosttest.PersonID(t, "wang-guihua")))
	if a := li.want(200, "GET", "/purse?person="+hosttest.PersonID(t, "wang-guihua"), ""); a.number("available") != 2_500 || strings.Contains(a.Raw, "holds") {
		t.Errorf("the mother's purse: %s", a.Raw)
	}
	for _, path := range []string{"/staff/day", "/staff/ledger", "/staff/purses/" + hosttest.PersonID(t, "li-qiang")} {
		li.want(403, "GET", path, "")
	}
}

func TestDeskAPI(t *testing.T) {
	s := start(t)
	sun, li := s.api(t, "sun-li"), hosttest.PersonID(t, "li-qiang")
	body := fmt.Sprintf(`{"person":%q,"amount":5000}`, li)
	first := sun.want(201, "POST", "/staff/top-ups", body, "Idempotency-Key", "k1")
	if again := sun.want(201, "POST", "/staff/top-ups", body, "Idempotency-Key", "k1"); again.Body["id"] != first.Body["id"] || first.Body["receipt"] != "2026-000001" {
		t.Errorf("topped up %s, then %s", first.Raw, again.Raw)
	}
	sun.want(422, "POST", "/staff/top-ups", body)
	if a := sun.want(422, "POST", "/staff/top-ups", fmt.Sprintf(`{"person":%q,"amount":99}`, li), "Idempotency-Key", "k2"); a.Problem.Rule != "amount" {
		t.Errorf("too little: %s", a.Raw)
	}
	sun.want(404, "POST", "/staff/top-ups", `{"person":"nobody","amount":500}`, "Idempotency-Key", "k3")
	if a := sun.want(422, "POST", "/staff/payouts", fmt.Sprintf(`{"person":%q,"amount":5001}`, li), "Idempotency-Key", "k4"); a.Problem.Rule != "insufficient" || *a.Problem.Available != 5_000 {
		t.Errorf("too much: %s", a.Raw)
	}
	sun.want(201, "POST", "/staff/payouts", fmt.Sprintf(`{"person":%q,"amount":1000}`, li), "Idempotency-Key", "k5")
	reversal := fmt.Sprintf(`{"transaction":%q,"reason":"wrong person"}`, first.Body["id"])
	if a := sun.want(422, "POST", "/staff/reversals", reversal, "Idempotency-Key", "k6"); a.Problem.Rule != "insufficient" {
		t.Errorf("reversed what is spent: %s", a.Raw)
	}
	second := sun.want(201, "POST", "/staff/top-ups", fmt.Sprintf(`{"person":%q,"amount":700}`, li), "Idempotency-Key", "k7")
	sun.want(201, "POST", "/staff/reversals", fmt.Sprintf(`{"transaction":%q,"reason":"wrong person"}`, second.Body["id"]), "Idempotency-Key", "k8")
	if a := sun.want(409, "POST", "/staff/reversals", fmt.Sprintf(`{"transaction":%q,"reason":"again"}`, second.Body["id"]), "Idempotency-Key", "k9"); a.Problem.Rule != "reversed" {
		t.Errorf("reversed twice: %s", a.Raw)
	}
	sun.want(404, "POST", "/staff/reversals", `{"transaction":"0197f6a0-0000-7000-8000-000000000000","reason":"x"}`, "Idempotency-Key", "k10")
	if a := sun.want(200, "GET", "/staff/purses/"+li, ""); a.number("balance") != 4_000 {
		t.Errorf("purse: %s", a.Raw)
	}
	sun.want(404, "GET", "/staff/purses/nobody", "")
	if a := sun.want(200, "GET", "/staff/day", ""); a.number("cash") != 4_000 {
		t.Errorf("day: %s", a.Raw)
	}
	sun.want(422, "GET", "/staff/day?date=today", "")
	sun.want(403, "GET", "/staff/ledger", "")
	a := s.api(t, "zhou-jianguo").want(200, "GET", "/staff/ledger?month=2026-11", "")
	if a.number("sum") != 0 || !strings.Contains(a.Raw, `{"account":"cash","before":0,"plus":1700,"minus":-5700,"after":-4000,"transactions":4}`) {
		t.Errorf("ledger: %s", a.Raw)
	}
	// All of this is in the record about the person.
	var record struct{ Records []struct{ Action string } }
	audited := ask(t, s.canteen, "GET", "http://accounts/accounts/internal/audit/v1/people/"+li, "")
	if err := json.Unmarshal([]byte(audited.Raw), &record); err != nil || len(record.Records) != 5 {
		t.Errorf("the record: %v, %s", err, audited.Raw)
	}
}

func TestHoldsExpireInTheBackground(t *testing.T) {
	s := start(t)
	li := hosttest.PersonID(t, "li-qiang")
	s.topUp(t, "li-qiang", 2_000)
	s.inside(t, 200, "PUT", "holds/o1", fmt.Sprintf(`{"revision":1,"person":%q,"amount":500,"expiresAt":"2026-11-23T13:00:00+08:00"}`, li))
	s.clock.Step(4 * time.Hour)
	await(t, "the hold expires", func() bool {
		s.clock.Step(expireEvery)
		return s.inside(t, 200, "GET", "people/"+li, "").number("held") == 0
	})
}
