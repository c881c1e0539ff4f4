// Package authorization walks every route of every service with every kind of
// caller, against a table that people read: docs/authorization.md.
package authorization

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/internal/canteen"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/messages"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/residents"
	"github.com/linli-io/linli/internal/sample"
)

const document = "../../docs/authorization.md"

// Who a route is for, beside the names of duties.
const (
	anybody  = "anybody"
	signedIn = "signed in"
	resident = "resident"
)

var row = regexp.MustCompile("^\\| `([^`]+)` \\| ([^|]+) \\|$")

// table reads who may use which route.
func table(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.Open(document)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows := map[string][]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		m := row.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if rows[m[1]] != nil {
			t.Errorf("%s has two rows for %s", document, m[1])
		}
		rows[m[1]] = strings.Split(strings.TrimSpace(m[2]), ", ")
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// start runs all services of a community.
func start(t *testing.T, name, uid string) *hosttest.Server {
	t.Helper()
	var services []host.Service
	for _, open := range []func() (host.Service, error){portal.Service, accounts.Service, booking.Service, canteen.Service, messages.Service, residents.Service} {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, s)
	}
	c := hosttest.Community()
	c.Name = name
	if uid != "" {
		c.UID = "0d9b1a52-8f6e-4b7b-9a53-8d8f6e0c1b22"
	}
	c.Spec.Managers = []v1alpha1.Manager{{Name: "manager", DisplayName: "管理员"}}
	c.Spec.Services.Booking = &v1alpha1.Booking{ManagedBy: v1alpha1.ManagedByCommunity}
	c.Spec.Services.Canteen = &v1alpha1.Canteen{ManagedBy: v1alpha1.ManagedByCommunity}
	return hosttest.Start(t, hosttest.Options{Services: services, Community: c, Log: io.Discard})
}

// caller is a kind of caller.
type caller struct {
	name string
	// token is what the caller shows as bearer, if anything.
	token string
	// is says for whom a route may be so that this caller may use it.
	is []string
}

// community is a running community with callers of every kind.
type community struct {
	*hosttest.Server
	client  *http.Client
	callers []caller
}

const managerPhone = "13800000099"

func (c *community) token(_ context.Context, phone string, staff bool) (string, error) {
	return c.Issuer.TokenFor("account-"+phone, phone, c.Site(), staff)
}

func (c *community) mustToken(t *testing.T, phone string, staff bool) string {
	t.Helper()
	token, err := c.token(t.Context(), phone, staff)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// furnish starts a community in which there is a person for each duty who has
// this duty and no other.
func furnish(t *testing.T) *community {
	t.Helper()
	c := &community{Server: start(t, "zhanqian", "")}
	c.client = c.Client(t)
	invitation, err := identity.Keys{Current: c.Key()}.Invitation("zhanqian", "manager")
	if err != nil {
		t.Fatal(err)
	}
	err = sample.Community{
		URL: c.URL, Client: c.client, Token: c.token, Manager: "manager", Invitation: invitation, ManagerPhone: managerPhone,
	}.Fill(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.callers = []caller{
		{"nobody", "", []string{anybody}},
		{"somebody whom the community does not know", c.mustToken(t, "13900000000", false), []string{anybody, signedIn}},
		{"a resident", c.mustToken(t, "13800000002", false), []string{anybody, signedIn, resident}},
		{"a resident with a second factor", c.mustToken(t, "13800000001", true), []string{anybody, signedIn, resident}},
		{"staff by their number alone", c.mustToken(t, "13800000005", false), []string{anybody, signedIn, resident}},
	}
	// Departments, and programs of other kinds, are nobody, whatever their
	// tokens say beside that.
	for name, claims := range map[string]map[string]any{
		"a department":                         {"sub": "civil-affairs", "client_id": "civil-affairs"},
		"a department, by way of the exchange": {"sub": "civil-affairs", "client_id": "sharing.localhost", "act": map[string]any{"sub": "sharing.localhost"}},
		"a service account of Keycloak":        {"sub": "2d1f0c3e", "azp": "civil-affairs", "client_id": "civil-affairs", "acr": "1"},
		"another program, in a manager's name": {"sub": "account-" + managerPhone, "client_id": "some-app", "acr": v1alpha1.DefaultStaffACR,
			"phone_number": managerPhone, "phone_number_verified": true},
	} {
		claims["iss"], claims["aud"], claims["exp"] = c.Issuer.URL, c.Site(), time.Now().Add(time.Hour).Unix()
		c.callers = append(c.callers, caller{name, c.Issuer.Sign(t, claims), []string{anybody}})
	}
	manager := c.mustToken(t, managerPhone, true)
	for i, duty := range identity.Duties {
		phone, name := fmt.Sprintf("1370000000%d", i), "员工"+string("甲乙丙丁戊己庚"[3*i:3*i+3])
		var person struct{ ID string }
		c.do(t, manager, "POST", "/people", map[string]string{"name": name, "phone": phone}, &person)
		c.do(t, c.mustToken(t, phone, false), "POST", "/join", map[string]string{"name": name}, nil)
		c.do(t, manager, "PUT", "/people/"+person.ID+"/duties", map[string]any{"duties": []identity.Duty{duty}}, nil)
		c.callers = append(c.callers, caller{"staff with the duty " + string(duty), c.mustToken(t, phone, true),
			[]string{anybody, signedIn, resident, string(duty)}})
	}
	return c
}

// do asks the service of residents for something that must be done.
func (c *community) do(t *testing.T, token, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.URL+"/residents/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	r, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode >= 300 {
		t.Fatalf("%s %s: %s: %s (%v)", method, path, r.Status, answer, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatal(err)
		}
	}
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// request is one for a route, with an ID that nothing has where it wants one.
func (c *community) request(t *testing.T, route string) *http.Request {
	t.Helper()
	method, path, ok := strings.Cut(route, " ")
	if !ok {
		t.Fatalf("the route %q names no method", route)
	}
	path = strings.ReplaceAll(path, "{$}", "")
	path = wildcard.ReplaceAllString(path, "00000000-0000-7000-8000-000000000000")
	body := ""
	contentType := "application/x-www-form-urlencoded"
	if strings.Contains(path, "/api/") {
		contentType, body = "application/json", "{}"
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Content-Type", contentType)
	return request
}

// answer is what became of a request, as far as who may do what goes.
type answer string

const (
	letIn     answer = "let in"
	signIn    answer = "asked to sign in"
	join      answer = "asked who they are"
	forbidden answer = "forbidden"
	hidden    answer = "told that there is nothing"
)

func (c *community) answer(t *testing.T, request *http.Request) answer {
	t.Helper()
	r, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.StatusCode == http.StatusUnauthorized, to.Path == identity.SignInPath && request.URL.Path != identity.SignInPath:
		return signIn
	case to.Query().Has("return") && (to.Path == identity.JoinPath || to.Path == identity.WhichPath):
		return join
	case r.StatusCode == http.StatusForbidden:
		return forbidden
	case r.StatusCode == http.StatusNotFound && strings.Contains(request.URL.Path, "/internal/"):
		return hidden
	case r.StatusCode >= 500:
		t.Errorf("%s %s: %s", request.Method, request.URL.Path, r.Status)
	}
	return letIn
}

// leaving are the routes after which a caller is not the same person any more.
var leaving = []string{"DELETE /residents/api/v1/me", "POST /residents/me/delete"}

// TestEveryRoute fails for a route without a row, a row without a route, and a
// caller who is let in where the table does not say so, or not where it does.
func TestEveryRoute(t *testing.T) {
	rows := table(t)
	c := furnish(t)
	routes := c.Host.Routes()
	slices.SortStableFunc(routes, func(a, b string) int {
		last := func(route string) int { return slices.Index(leaving, route) }
		return last(a) - last(b)
	})
	for _, route := range routes {
		who := rows[route]
		if who == nil {
			t.Errorf("%s has no row for %s: say who may use it", document, route)
			continue
		}
		delete(rows, route)
		_, path, _ := strings.Cut(route, " ")
		if parts := strings.Split(path, "/"); slices.Contains(who, "service") != (len(parts) > 2 && parts[2] == "internal") {
			t.Errorf("%s: what is for services, and nothing else, is beneath /<service>/internal/", route)
		}
		if slices.Contains(leaving, route) {
			c = furnish(t)
		}
		for _, caller := range c.callers {
			request := c.request(t, route)
			if caller.token != "" {
				request.Header.Set("Authorization", "Bearer "+caller.token)
			}
			got := c.answer(t, request)
			may := slices.ContainsFunc(who, func(w string) bool { return slices.Contains(caller.is, w) })
			if may != (got == letIn) {
				t.Errorf("%s: %s is %s; the table has %v", route, caller.name, got, who)
			}
			if slices.Contains(who, "service") && got != hidden {
				t.Errorf("%s: %s is %s, and should not even know that it is there", route, caller.name, got)
			}
		}
	}
	for route := range rows {
		t.Errorf("%s has a row for %s, which is no route", document, route)
	}
}

// TestProofsOfElsewhere: what does not prove anything here is refused at every
// route, also where nobody need sign in.
func TestProofsOfElsewhere(t *testing.T) {
	c := furnish(t)
	claims := func(change func(map[string]any)) string {
		all := map[string]any{
			"iss": c.Issuer.URL, "sub": "account-" + managerPhone, "aud": c.Site(), "client_id": "zhanqian.localhost", "acr": v1alpha1.DefaultStaffACR,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "phone_number": managerPhone, "phone_number_verified": true,
		}
		change(all)
		return c.Issuer.Sign(t, all)
	}
	tokens := map[string]string{
		"an expired token":         claims(func(m map[string]any) { m["exp"] = time.Now().Add(-time.Second).Unix() }),
		"a sibling's token":        claims(func(m map[string]any) { m["aud"] = strings.Replace(c.Site(), "zhanqian", "guting", 1) }),
		"a token about signing in": claims(func(m map[string]any) { m["aud"] = "zhanqian.localhost" }),
		"a token of elsewhere":     claims(func(m map[string]any) { m["iss"] = "https://id.example" }),
	}
	sibling := start(t, "guting", "another")
	cookie := sibling.SignIn(t, "zhou-jianguo")
	theirs, err := url.Parse(sibling.URL)
	if err != nil {
		t.Fatal(err)
	}
	manager := c.callers[len(c.callers)-2] // somebody with a duty
	for _, route := range c.Host.Routes() {
		for name, token := range tokens {
			request := c.request(t, route)
			request.Header.Set("Authorization", "Bearer "+token)
			if got := c.answer(t, request); got != signIn {
				t.Errorf("%s with %s: %s", route, name, got)
			}
		}
		nobody := c.answer(t, c.request(t, route))
		request := c.request(t, route)
		for _, cookie := range cookie.Jar.Cookies(theirs) {
			request.AddCookie(cookie)
		}
		if got := c.answer(t, request); got != nobody {
			t.Errorf("%s with a sibling's cookie: %s, without: %s", route, got, nobody)
		}
		if method, _, _ := strings.Cut(route, " "); method == http.MethodGet {
			continue
		}
		for _, site := range []string{"cross-site", "same-site"} {
			request := c.request(t, route)
			request.Header.Set("Authorization", "Bearer "+manager.token)
			request.Header.Set("Sec-Fetch-Site", site)
			if got := c.answer(t, request); got != forbidden && got != hidden {
				t.Errorf("%s from %s: %s", route, site, got)
			}
		}
	}
}
