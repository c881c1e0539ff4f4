package canteen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// elsewhere has the canteen ask an address for the service of accounts.
type elsewhere struct{ url *url.URL }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = e.url.Scheme, e.url.Host
	return http.DefaultTransport.RoundTrip(r)
}

// TestNoAnswer: whatever is no answer of the service of accounts leaves open
// what has come of a request.
func TestNoAnswer(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	answering := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // to loopback
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, address := range map[string]string{
		"nobody there": closed.URL, "500": answering(500, "{}"), "502": answering(502, "<html>"), "503": answering(503, ""), "not JSON": answering(409, "<html>"),
	} {
		purses := till{&http.Client{Transport: elsewhere{must[*url.URL](t)(url.Parse(address))}}}
		o := Order{ID: uuid.New(), Next: &Content{}}
		if _, err := purses.hold(t.Context(), o, nil, time.Now()); !errors.Is(err, errNoAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refusing := till{&http.Client{Transport: elsewhere{must[*url.URL](t)(url.Parse(answering(422, `{"rule":"insufficient"}`)))}}}
	if held, err := refusing.hold(t.Context(), Order{ID: uuid.New(), Next: &Content{}}, nil, time.Now()); held || err != nil {
		t.Errorf("a refusal: %v, %v", held, err)
	}
}

// lobby is the service of accounts that answers 503 while it is away, and after
// that holds whatever it is asked to.
func lobby(away *atomic.Bool) host.Service {
	return host.Service{Name: accounts.Name, Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Mux.Handle("PUT /accounts/internal/v1/holds/{id}", rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if away.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = io.WriteString(w, "{}") // within the process
		})))
		return nil
	}}
}

// TestPurseAway: who orders while the purse does not answer is told that the
// order is kept, and it goes on by itself.
func TestPurseAway(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	c := hosttest.Community()
	c.Spec.Services.Accounts, c.Spec.Services.Canteen = &v1alpha1.Accounts{}, canteenOf()
	kitchen := must[host.Service](t)(Service())
	clock := testclock.NewFakeClock(moment(t, sunday))
	r := running{clock: clock}
	kitchen.Register = func(ctx context.Context, rt *host.Runtime) error {
		r.store = NewStore(rt.DB)
		return register(ctx, rt)
	}
	r.Server = hosttest.Start(t, hosttest.Options{Services: []host.Service{lobby(&away), kitchen}, Community: c, Clock: clock})
	r.pork = must[Dish](t)(r.store.PutDish(t.Context(), By{Actor: "cook", Now: clock.Now()}, Dish{ID: uuid.New(), Name: "红烧肉", Kind: KindMeat, Price: 1800}))
	r.rice = must[Dish](t)(r.store.PutDish(t.Context(), By{Actor: "cook", Now: clock.Now()}, Dish{ID: uuid.New(), Name: "米饭", Kind: KindStaple, Price: 200}))
	r.plan(t, 0, 5)

	// The API.
	ask := func(key string) (int, string) {
		t.Helper()
		body := must[[]byte](t)(json.Marshal(map[string]any{
			"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "way": "PickUp", "lines": []any{map[string]any{"dish": r.pork.ID, "portions": 1}},
		}))
		request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/canteen/api/v1/orders", bytes.NewReader(body)))
		request.Header.Set("Authorization", "Bearer "+r.Token(t, "chen-yutong"))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
		response := must[*http.Response](t)(r.Client(t).Do(request))
		defer response.Body.Close()
		return response.StatusCode, string(must[[]byte](t)(io.ReadAll(response.Body)))
	}
	// The subsidies: the page has them without the ledger's, what others reckon
	// with is refused.
	desk := r.browser(t, "zhou-jianguo")
	desk.page("/canteen/staff/subsidies")
	desk.sees(http.StatusServiceUnavailable, "/canteen/staff/subsidies.csv", nil)
	request := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/canteen/api/v1/staff/subsidies?from=2026-10&to=2026-11", nil))
	request.Header.Set("Authorization", "Bearer "+r.Token(t, "zhou-jianguo"))
	response := must[*http.Response](t)(r.Client(t).Do(request))
	defer response.Body.Close()
	if answer := string(must[[]byte](t)(io.ReadAll(response.Body))); response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(answer, `"rule":"ledger-away"`) {
		t.Errorf("%s: %s", response.Status, answer)
	}
	for range 2 {
		if status, answer := ask("k"); status != http.StatusServiceUnavailable || !strings.Contains(answer, `"rule":"purse-away"`) || !strings.Contains(answer, "The order is kept") {
			t.Errorf("%d: %s", status, answer)
		}
	}
	// The page.
	zhao := r.browser(t, "zhao-changshun")
	form := with(zhao.form(zhao.page(orderLunch(t, "zhao-changshun"))), r.porkField(), "1", "pay", payEater)
	confirm := with(zhao.form(zhao.sees(http.StatusOK, orderPath, form)), "step", "confirm")
	page := zhao.sees(http.StatusServiceUnavailable, orderPath, confirm, "钱包还没有回答", "不用再订一次")
	zhao.sees(http.StatusServiceUnavailable, orderPath, confirm, "钱包还没有回答")
	_, own, _ := strings.Cut(page, `href="`+ordersPath+"/")
	own, _, _ = strings.Cut(own, `"`)
	orders := must[[]Order](t)(r.store.Orders(t.Context(), Reach{Persons: []string{hosttest.PersonID(t, "zhao-changshun"), hosttest.PersonID(t, "chen-yutong")}}, lunch(t).Day, false, 10))
	if len(orders) != 2 || orders[0].State != StatePlacing || orders[1].State != StatePlacing {
		t.Errorf("%+v", orders)
	}

	away.Store(false)
	clock.Step(settleAfter) // whoever asked first may still be at it until then
	zhao.has(zhao.eventually(ordersPath+"/"+own, "已订好"), "钱包里已留好")
	if status, answer := ask("k"); status != http.StatusCreated {
		t.Errorf("again: %d: %s", status, answer)
	}
}
