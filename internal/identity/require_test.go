package identity_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/identity"
)

func TestRequirePerson(t *testing.T) {
	i := newIdentity(t, 'k', settings(unchanged), testclock.NewFakePassiveClock(start))
	h := i.RequirePerson(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct {
		method, path string
		signedIn     bool
		status       int
		location     string
	}{
		{"GET", "/booking/mine?a=b&c=d", true, http.StatusTeapot, ""},
		{"GET", "/booking/mine?a=b&c=d", false, http.StatusSeeOther, "/identity/sign-in?return=%2Fbooking%2Fmine%3Fa%3Db%26c%3Dd"},
		{"POST", "/booking/mine", false, http.StatusSeeOther, "/identity/sign-in?return=%2F"},
		{"GET", "/booking/api/v1/bookings", false, http.StatusUnauthorized, ""},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.signedIn {
			r = r.WithContext(identity.WithPerson(r.Context(), identity.Person{ID: "1"}))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Location") != c.location {
			t.Errorf("%s %s, signed in %v: %d to %q, want %d to %q",
				c.method, c.path, c.signedIn, w.Code, w.Header().Get("Location"), c.status, c.location)
		}
	}
}

// Each of these asks for a page and for an API with what they can show.
func TestRequireDuty(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	ours := newIdentity(t, 'k', settings(unchanged), c)
	sibling := newIdentity(t, 'x', settings(func(s *identity.Settings) { s.Community, s.Subjects = "theirs", "theirs" }), c)
	cookieOf := func(i *identity.Identity, account string) *http.Cookie {
		w := httptest.NewRecorder()
		if err := i.SignIn(w, account); err != nil {
			t.Fatal(err)
		}
		return w.Result().Cookies()[0]
	}
	refuse := func(w http.ResponseWriter, r *http.Request, status int) {
		w.WriteHeader(status)
		io.WriteString(w, "a friendly page")
	}
	served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, test := range []struct {
		who       string
		cookie    *http.Cookie
		duty      identity.Duty
		page, api int
	}{
		{"the front desk", cookieOf(ours, "sun-li"), identity.FrontDesk, http.StatusTeapot, http.StatusTeapot},
		{"a manager at the desk's page", cookieOf(ours, "zhou-jianguo"), identity.FrontDesk, http.StatusTeapot, http.StatusTeapot},
		{"a manager", cookieOf(ours, "zhou-jianguo"), identity.Manager, http.StatusTeapot, http.StatusTeapot},
		{"the front desk at a manager's page", cookieOf(ours, "sun-li"), identity.Manager, http.StatusForbidden, http.StatusForbidden},
		{"a resident", cookieOf(ours, "li-qiang"), identity.FrontDesk, http.StatusForbidden, http.StatusForbidden},
		{"a sibling's manager", cookieOf(sibling, "zhou-jianguo"), identity.FrontDesk, http.StatusSeeOther, http.StatusUnauthorized},
		{"nobody", nil, identity.FrontDesk, http.StatusSeeOther, http.StatusUnauthorized},
		{"a duty that nobody has", cookieOf(ours, "zhou-jianguo"), "", http.StatusForbidden, http.StatusForbidden},
	} {
		guarded := ours.RequireDuty(test.duty, refuse, served)
		for path, want := range map[string]int{"/booking/staff/": test.page, "/booking/api/v1/staff/venues": test.api} {
			r := httptest.NewRequest(http.MethodPost, path, nil)
			if test.cookie != nil {
				r.AddCookie(test.cookie)
			}
			if p, ok, _ := ours.Authenticate(r); ok {
				r = r.WithContext(identity.WithPerson(r.Context(), p))
			}
			w := httptest.NewRecorder()
			guarded.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s at %s: %d, want %d", test.who, path, w.Code, want)
			}
			if w.Code != http.StatusForbidden {
				continue
			}
			if path == "/booking/staff/" {
				if w.Body.String() != "a friendly page" {
					t.Errorf("%s at %s: %q", test.who, path, w.Body)
				}
				continue
			}
			var problem struct {
				Status int
				Detail string
			}
			if err := json.NewDecoder(w.Body).Decode(&problem); err != nil || problem.Status != want || problem.Detail == "" ||
				w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s: %+v, %v, %v", test.who, path, problem, err, w.Header())
			}
		}
	}
}
