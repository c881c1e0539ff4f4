package identity_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func settings(change func(*identity.Settings)) func() identity.Settings {
	s := identity.Settings{
		Community: "ours", Subjects: "ours",
		Class: v1alpha1.CommunityClassSpec{
			Domain:   "localhost",
			Gateway:  v1alpha1.Gateway{Scheme: v1alpha1.SchemeHTTP},
			Identity: v1alpha1.Identity{Provider: v1alpha1.IdentityDemo},
		},
	}
	change(&s)
	return func() identity.Settings { return s }
}

func unchanged(*identity.Settings) {}

func newIdentity(t *testing.T, key byte, s func() identity.Settings, c *testclock.FakePassiveClock) *identity.Identity {
	t.Helper()
	i, err := identity.New(bytes.Repeat([]byte{key}, identity.SessionKeySize), s, c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// session signs li-qiang in and returns the cookie.
func session(t *testing.T, i *identity.Identity) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := i.SignIn(w, "li-qiang"); err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

func withCookie(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	return r
}

func withToken(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestSessionAndToken(t *testing.T) {
	i := newIdentity(t, 'k', settings(unchanged), testclock.NewFakePassiveClock(start))
	token, expires, err := i.Token("li-qiang")
	if err != nil || !expires.Equal(start.Add(time.Hour)) {
		t.Fatalf("token until %v: %v", expires, err)
	}
	var ids []string
	for name, r := range map[string]*http.Request{"cookie": withCookie(session(t, i)), "token": withToken(token)} {
		p, ok, err := i.Authenticate(r)
		if err != nil || !ok || p.Name != "李强" || p.Role != identity.Resident {
			t.Errorf("%s: %v, %v, %v", name, p, ok, err)
		}
		ids = append(ids, p.ID)
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("one person has identifiers %v", ids)
	}
}

func TestIdentifiersArePairwise(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	here := newIdentity(t, 'k', settings(unchanged), c)
	there := newIdentity(t, 'k', settings(func(s *identity.Settings) { s.Community, s.Subjects = "theirs", "theirs" }), c)
	heir := newIdentity(t, 'k', settings(func(s *identity.Settings) { s.Community = "heir" }), c)
	for n, d := range here.DemoPeople() {
		if d.Person.ID == there.DemoPeople()[n].Person.ID {
			t.Errorf("%s has the same identifier in two communities", d.Account)
		}
		if d.Person.ID != heir.DemoPeople()[n].Person.ID {
			t.Errorf("%s has another identifier after adoption", d.Account)
		}
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	ours := newIdentity(t, 'k', settings(unchanged), c)
	sign := func(change func(*jwt.Claims), alg jose.SignatureAlgorithm, key any) string {
		claims := jwt.Claims{Subject: "li-qiang", Audience: jwt.Audience{"ours"}, Expiry: jwt.NewNumericDate(start.Add(time.Minute))}
		change(&claims)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	token, _, err := ours.Token("li-qiang")
	if err != nil {
		t.Fatal(err)
	}
	cookie := session(t, ours).Value
	sibling := newIdentity(t, 'k', settings(func(s *identity.Settings) { s.Community = "theirs" }), c)
	siblingToken, _, err := sibling.Token("li-qiang")
	if err != nil {
		t.Fatal(err)
	}
	otherKey := newIdentity(t, 'x', settings(unchanged), c)
	otherToken, _, err := otherKey.Token("li-qiang")
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"zhou-jianguo","aud":["ours"],"exp":4102444800}`))

	for name, proof := range map[string]string{
		"nothing":                     "",
		"no JWT":                      "li-qiang",
		"another payload":             part[0] + "." + payload + "." + part[2],
		"a changed signature":         part[0] + "." + part[1] + "." + flip(part[2]),
		"no signature":                part[0] + "." + part[1] + ".",
		"no algorithm":                none + "." + payload + ".",
		"a key of its own":            sign(func(*jwt.Claims) {}, jose.HS256, bytes.Repeat([]byte{1}, 32)),
		"the session key itself":      sign(func(*jwt.Claims) {}, jose.HS256, bytes.Repeat([]byte{'k'}, 32)),
		"a sibling with our key":      siblingToken,
		"a community with other keys": otherToken,
	} {
		if p, ok, err := ours.Authenticate(withToken(proof)); ok || !errors.Is(err, identity.ErrBadToken) {
			t.Errorf("token with %s: %v, %v, %v", name, p, ok, err)
		}
		if p, ok, err := ours.Authenticate(withCookie(&http.Cookie{Name: "linli-session", Value: proof})); ok || err != nil {
			t.Errorf("cookie with %s: %v, %v, %v", name, p, ok, err)
		}
	}
	// Proofs of one kind are not good for the other.
	if _, ok, _ := ours.Authenticate(withToken(cookie)); ok {
		t.Error("a session cookie is taken for a token")
	}
	if _, ok, _ := ours.Authenticate(withCookie(&http.Cookie{Name: "linli-session", Value: token})); ok {
		t.Error("a token is taken for a session cookie")
	}
	// A bad token is not made good by a cookie.
	r := withCookie(session(t, ours))
	r.Header.Set("Authorization", "Bearer nonsense")
	if _, ok, err := ours.Authenticate(r); ok || err == nil {
		t.Error("a bad token was passed over")
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestExpiry(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	i := newIdentity(t, 'k', settings(unchanged), c)
	token, _, err := i.Token("li-qiang")
	if err != nil {
		t.Fatal(err)
	}
	cookie := session(t, i)
	for _, step := range []struct {
		at            time.Duration
		token, cookie bool
	}{
		{59 * time.Minute, true, true},
		{61 * time.Minute, false, true},
		{11 * time.Hour, false, true},
		{12*time.Hour + time.Minute, false, false},
	} {
		c.SetTime(start.Add(step.at))
		if _, ok, _ := i.Authenticate(withToken(token)); ok != step.token {
			t.Errorf("after %v the token is good: %v, want %v", step.at, ok, step.token)
		}
		if _, ok, _ := i.Authenticate(withCookie(cookie)); ok != step.cookie {
			t.Errorf("after %v the session is good: %v, want %v", step.at, ok, step.cookie)
		}
	}
}

// Demo people exist only where the class says so and the domain is this
// machine's, also with proofs that were made while they did.
func TestDemoPeopleOnlyOnLocalhost(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	demo := newIdentity(t, 'k', settings(unchanged), c)
	token, _, err := demo.Token("li-qiang")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*identity.Settings){
		"a public domain":        func(s *identity.Settings) { s.Class.Domain = "yutai.gov.cn" },
		"localhost in the front": func(s *identity.Settings) { s.Class.Domain = "localhost.yutai.gov.cn" },
		"localhost as a suffix":  func(s *identity.Settings) { s.Class.Domain = "notlocalhost" },
		"no provider":            func(s *identity.Settings) { s.Class.Identity.Provider = "" },
	} {
		i := newIdentity(t, 'k', settings(change), c)
		if people := i.DemoPeople(); people != nil {
			t.Errorf("%s: there are people to choose from", name)
		}
		if err := i.SignIn(httptest.NewRecorder(), "li-qiang"); !errors.Is(err, identity.ErrDemoRefused) {
			t.Errorf("%s: signing in: %v", name, err)
		}
		if _, _, err := i.Token("li-qiang"); !errors.Is(err, identity.ErrDemoRefused) {
			t.Errorf("%s: token: %v", name, err)
		}
		if _, ok, _ := i.Authenticate(withToken(token)); ok {
			t.Errorf("%s: a token made elsewhere is good", name)
		}
	}
	if _, _, err := demo.Token("nobody"); !errors.Is(err, identity.ErrNoSuchDemo) {
		t.Errorf("token for nobody: %v", err)
	}
}

func TestCookieFlags(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	for name, want := range map[string]struct {
		change func(*identity.Settings)
		cookie string
		secure bool
	}{
		"loopback":           {unchanged, "linli-session", false},
		"loopback under TLS": {func(s *identity.Settings) { s.Class.Gateway.Scheme = v1alpha1.SchemeHTTPS }, "__Host-linli-session", true},
	} {
		got := session(t, newIdentity(t, 'k', settings(want.change), c))
		if got.Name != want.cookie || got.Secure != want.secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode ||
			got.Path != "/" || got.Domain != "" || got.MaxAge != 12*60*60 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDuties(t *testing.T) {
	i := newIdentity(t, 'k', settings(unchanged), testclock.NewFakePassiveClock(start))
	var desk, manager []string
	for _, d := range i.DemoPeople() {
		if d.Person.Has(identity.FrontDesk) {
			desk = append(desk, d.Account)
		}
		if d.Person.Has(identity.Manager) {
			manager = append(manager, d.Account)
		}
		if d.Person.Role == identity.Resident && len(d.Person.Duties) > 0 {
			t.Errorf("%s is a resident with duties", d.Account)
		}
	}
	if !slices.Equal(desk, []string{"sun-li", "zhou-jianguo"}) || !slices.Equal(manager, []string{"zhou-jianguo"}) {
		t.Errorf("front desk %v, managers %v", desk, manager)
	}
}
