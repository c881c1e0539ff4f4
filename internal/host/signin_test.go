package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/identity/identitytest"
)

// whoami says who is calling, to pages and to programs.
func whoami() host.Service {
	return host.Service{Name: "who", Register: func(_ context.Context, rt *host.Runtime) error {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := identity.FromContext(r.Context())
			fmt.Fprint(w, p.Name)
		})
		rt.Mux.Handle("GET /who/proven", rt.Identity.RequireProof(answer))
		rt.Mux.Handle("GET /who/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/api/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("POST /who/ami", rt.Identity.RequirePerson(answer))
		rt.Mux.Handle("GET /who/desk", rt.Identity.RequireDuty(identity.FrontDesk, rt.Pages.Error, answer))
		rt.Mux.Handle("GET /who/manager", rt.Identity.RequireDuty(identity.Manager, rt.Pages.Error, answer))
		rt.Mux.Handle("GET /who/api/desk", rt.Identity.RequireDuty(identity.FrontDesk, rt.Pages.Error, answer))
		rt.Mux.HandleFunc("GET /who/invited", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, rt.Identity.CheckInvitation("meng-xiaoman", r.URL.Query().Get("code")))
		})
		rt.Mux.Handle("GET /who/internal/v1/ami", rt.Identity.RequireService(answer))
		return nil
	}}
}

func TestSignInAndBack(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.Client(t)
	r, _ := get(t, client, s.URL+"/who/ami")
	location := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || location != "/identity/sign-in?return=%2Fwho%2Fami" {
		t.Fatalf("without signing in: %s to %q", r.Status, location)
	}
	r, _ = get(t, client, s.URL+location)
	asked, err := url.Parse(r.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(asked.String(), s.Issuer.URL) {
		t.Fatalf("signing in leads to %q", r.Header.Get("Location"))
	}
	query := asked.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "zhanqian.localhost", "redirect_uri": s.Site() + "/identity/callback",
		"scope": "openid phone", "code_challenge_method": "S256", "acr_values": "",
	} {
		if query.Get(name) != want {
			t.Errorf("the issuer is asked with %s=%q, want %q", name, query.Get(name), want)
		}
	}
	r, _ = get(t, client, asked.String()+"&account=wang-guihua")
	r, _ = get(t, client, r.Header.Get("Location"))
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/who/ami" {
		t.Fatalf("coming back: %s to %q", r.Status, r.Header.Get("Location"))
	}
	for _, c := range r.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie %+v", c)
		}
	}
	if _, body := get(t, client, s.URL+"/who/ami"); body != "王桂花" {
		t.Errorf("signed in as %q", body)
	}
	if _, body := get(t, client, s.URL+"/who/api/ami"); body != "王桂花" {
		t.Errorf("the session in the API is of %q", body)
	}
}

// copyOf is another browser into which somebody has put a browser's cookies.
func copyOf(t *testing.T, s *hosttest.Server, client *http.Client) *http.Client {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	thief := s.Client(t)
	thief.Jar.SetCookies(u, client.Jar.Cookies(u))
	return thief
}

func TestStolenCookieIsWorthNothingAfterSignOut(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.SignIn(t, "li-qiang")
	thief := copyOf(t, s, client)
	if r, _ := get(t, thief, s.URL+"/who/ami"); r.StatusCode != http.StatusOK {
		t.Fatalf("the cookie does not work: %s", r.Status)
	}
	if r := post(t, client, s.URL+"/identity/sign-out", nil, nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %s", r.Status)
	}
	for who, c := range map[string]*http.Client{"the person": client, "the thief": thief} {
		if r, _ := get(t, c, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("after signing out, %s: %s", who, r.Status)
		}
	}
}

func TestSignOutEverywhere(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	phone, computer, other := s.SignIn(t, "li-qiang"), s.SignIn(t, "li-qiang"), s.SignIn(t, "chen-yutong")
	r, page := get(t, phone, s.URL+"/identity/sessions")
	if n := strings.Count(page, "<strong>"); r.StatusCode != http.StatusOK || n != 2 || strings.Count(page, "这台设备") != 1 {
		t.Errorf("the list of sessions: %s with %d, %s", r.Status, n, page)
	}
	if r := post(t, phone, s.URL+"/identity/sessions", nil, nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out everywhere: %s", r.Status)
	}
	for who, c := range map[string]*http.Client{"the phone": phone, "the computer": computer} {
		if r, _ := get(t, c, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("after that, %s: %s", who, r.Status)
		}
	}
	if _, body := get(t, other, s.URL+"/who/ami"); body != "陈雨桐" {
		t.Error("somebody else was signed out too")
	}
}

// A session that a browser had before signing in is worth nothing afterwards:
// whoever planted it does not get in with the person.
func TestSessionFixation(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	attacker := s.SignIn(t, "chen-yutong")
	victim := copyOf(t, s, attacker)
	s.SignInWith(t, victim, "li-qiang", false)
	if _, body := get(t, victim, s.URL+"/who/ami"); body != "李强" {
		t.Fatalf("the victim is %q", body)
	}
	if r, body := get(t, attacker, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the session that was planted: %s %q", r.Status, body)
	}
	planted := s.Client(t)
	u, _ := url.Parse(s.URL)
	planted.Jar.SetCookies(u, []*http.Cookie{{Name: "linli-session", Value: "chosen-by-the-attacker", Path: "/"}})
	thief := copyOf(t, s, planted)
	s.SignInWith(t, planted, "li-qiang", false)
	if r, _ := get(t, thief, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a secret that an attacker chose: %s", r.Status)
	}
}

// What comes back from the issuer counts in the browser that was sent there,
// once, and not for ever.
func TestCallbackIsBoundToItsBrowser(t *testing.T) {
	clock := testclock.NewFakeClock(time.Now())
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Clock: clock})
	begin := func(client *http.Client) string {
		r, _ := get(t, client, s.URL+"/identity/sign-in")
		r, _ = get(t, client, r.Header.Get("Location")+"&account=li-qiang")
		return r.Header.Get("Location")
	}
	refused := func(why string, client *http.Client, address string) {
		t.Helper()
		r, page := get(t, client, address)
		if r.StatusCode != http.StatusBadRequest || !strings.Contains(page, "没有登录成功") {
			t.Errorf("%s: %s", why, r.Status)
		}
		if r, _ := get(t, client, s.URL+"/who/ami"); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: signed in all the same", why)
		}
	}
	attacker, victim := s.Client(t), s.Client(t)
	refused("a browser that was not sent", victim, begin(attacker))
	begin(victim)
	refused("another browser's answer", victim, begin(attacker))
	client := s.Client(t)
	refused("without a code", client, strings.Replace(begin(client), "code=", "error=access_denied&x=", 1))
	refused("a made-up code", client, strings.Replace(begin(client), "code=", "code=x", 1))
	refused("a made-up state", client, strings.Replace(begin(client), "state=", "state=x", 1))
	late := begin(client)
	clock.Step(16 * time.Minute)
	refused("too late", client, late)
	good := begin(client)
	if r, _ := get(t, client, good); r.StatusCode != http.StatusSeeOther {
		t.Fatalf("the good one: %s", r.Status)
	}
	if r, _ := get(t, client, good); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a second time: %s", r.Status)
	}
}

func TestTokenMustSayWhatItWasAskedFor(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	for name, change := range map[string]func(claims map[string]any){
		"another nonce":              func(c map[string]any) { c["nonce"] = "another" },
		"no nonce":                   func(c map[string]any) { delete(c, "nonce") },
		"another community":          func(c map[string]any) { c["aud"] = "guting.localhost" },
		"another issuer":             func(c map[string]any) { c["iss"] = "https://id.example" },
		"expired":                    func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() },
		"not by the way staff must":  func(c map[string]any) { c["acr"] = "urn:linli:acr:resident" },
		"without saying by what way": func(c map[string]any) { delete(c, "acr") },
	} {
		client := s.Client(t)
		r, _ := get(t, client, s.URL+"/identity/sign-in?staff=true")
		r, _ = get(t, client, r.Header.Get("Location")+"&account=sun-li")
		s.Issuer.Claims = change
		r, _ = get(t, client, r.Header.Get("Location"))
		s.Issuer.Claims = nil
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}

// Staff who have signed in like a resident are residents, until they prove who
// they are in the way that staff must.
func TestDutiesNeedTheWayOfStaff(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.Client(t)
	s.SignInWith(t, client, "sun-li", false)
	if _, body := get(t, client, s.URL+"/who/ami"); body != "孙丽" {
		t.Fatalf("signed in as %q", body)
	}
	if r, _ := get(t, client, s.URL+"/who/desk"); r.Header.Get("Location") != "/identity/sign-in?return=%2Fwho%2Fdesk&staff=true" {
		t.Errorf("at the desk: %s to %q", r.Status, r.Header.Get("Location"))
	}
	if r, body := get(t, client, s.URL+"/who/api/desk"); r.StatusCode != http.StatusForbidden || !strings.Contains(body, "acr") {
		t.Errorf("in the API: %s %s", r.Status, body)
	}
	s.SignInWith(t, client, "sun-li", true)
	if r, _ := get(t, client, s.URL+"/who/desk"); r.StatusCode != http.StatusOK {
		t.Errorf("at the desk, in the way of staff: %s", r.Status)
	}
	stranger := s.Client(t)
	s.SignInWith(t, stranger, "li-qiang", true)
	if r, _ := get(t, stranger, s.URL+"/who/desk"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a resident with a second factor: %s", r.Status)
	}
}

func TestPagesOfStaff(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	for _, c := range []struct {
		account, path string
		status        int
		text          string
	}{
		{"sun-li", "/who/desk", http.StatusOK, "孙丽"},
		{"sun-li", "/who/api/desk", http.StatusOK, "孙丽"},
		{"zhou-jianguo", "/who/desk", http.StatusOK, "周建国"},
		{"zhou-jianguo", "/who/manager", http.StatusOK, "周建国"},
		{"sun-li", "/who/manager", http.StatusForbidden, "<h1>这里不能进入</h1>"},
		{"li-qiang", "/who/desk", http.StatusForbidden, "<h1>这里不能进入</h1>"},
		{"li-qiang", "/who/api/desk", http.StatusForbidden, "FrontDesk"},
	} {
		r, body := get(t, s.SignIn(t, c.account), s.URL+c.path)
		if r.StatusCode != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s at %s: %s, want %d with %q", c.account, c.path, r.Status, c.status, c.text)
		}
	}
	if r, _ := get(t, s.Client(t), s.URL+"/who/desk"); r.Header.Get("Location") != "/identity/sign-in?return=%2Fwho%2Fdesk&staff=true" {
		t.Errorf("without signing in: %s to %q", r.Status, r.Header.Get("Location"))
	}
}

// Whoever has an account but is not known here may ask to join, no more.
func TestSignedInButNotKnown(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.Client(t)
	s.SignInWith(t, client, "stranger", false)
	for path, want := range map[string]string{
		"/who/proven": "", "/who/ami": "/residents/join?return=%2Fwho%2Fami", "/who/desk": "/residents/join?return=%2Fwho%2Fdesk",
	} {
		if r, _ := get(t, client, s.URL+path); r.Header.Get("Location") != want || want == "" && r.StatusCode != http.StatusOK {
			t.Errorf("%s: %s to %q, want %q", path, r.Status, r.Header.Get("Location"), want)
		}
	}
	if r, _ := get(t, client, s.URL+"/who/api/ami"); r.StatusCode != http.StatusForbidden {
		t.Errorf("in the API: %s", r.Status)
	}
}

func TestServicesAreNotReachedFromOutside(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	for _, path := range []string{
		"/who/internal/v1/ami", "/residents/internal/v1/people?query=138&limit=9",
		"/residents/internal/v1/people/" + hosttest.PersonID(t, "li-qiang"),
	} {
		for _, account := range []string{"", "zhou-jianguo"} {
			client := s.Client(t)
			if account != "" {
				client = s.SignIn(t, account)
			}
			if r, body := get(t, client, s.URL+path); r.StatusCode != http.StatusNotFound || strings.Contains(body, "1380000") {
				t.Errorf("%s of %q: %s", path, account, r.Status)
			}
		}
	}
}

func TestReturnAddressStaysHere(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	for _, evil := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "javascript:alert(1)",
		"evil.example", " //evil.example", "http:evil", "", "///evil.example", "/a\r\nSet-Cookie: x=y",
	} {
		r := post(t, s.Client(t), s.URL+"/preferences", url.Values{"lang": {"en"}, "return": {evil}}, nil)
		if got := r.Header.Get("Location"); got != "/" {
			t.Errorf("/preferences with return address %q leads to %q", evil, got)
		}
		client := s.Client(t)
		r, _ = get(t, client, s.URL+"/identity/sign-in?return="+url.QueryEscape(evil))
		r, _ = get(t, client, r.Header.Get("Location")+"&account=li-qiang")
		r, _ = get(t, client, r.Header.Get("Location"))
		if got := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || got != "/" {
			t.Errorf("signing in with return address %q leads to %s %q", evil, r.Status, got)
		}
	}
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}})
	client := s.SignIn(t, "li-qiang")
	sibling := strings.Replace(s.URL, "zhanqian", "guting", 1)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"our own page":                  {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {s.URL}}, http.StatusOK},
		"a script":                      {nil, http.StatusOK},
		"an old browser, our own page":  {http.Header{"Origin": {s.URL}}, http.StatusOK},
		"another site":                  {http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		"a sibling community":           {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {sibling}}, http.StatusForbidden},
		"an old browser on a sibling":   {http.Header{"Origin": {sibling}}, http.StatusForbidden},
		"an old browser on no origin":   {http.Header{"Origin": {"null"}}, http.StatusForbidden},
		"an old browser, another port":  {http.Header{"Origin": {"http://zhanqian.localhost:1"}}, http.StatusForbidden},
		"another site without a cookie": {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {"x=y"}}, http.StatusForbidden},
	} {
		if r := post(t, client, s.URL+"/who/ami", nil, c.header); r.StatusCode != c.status {
			t.Errorf("a form of %s: %s, want %d", name, r.Status, c.status)
		}
		if name == "our own page" || name == "a script" || strings.HasSuffix(name, "our own page") {
			continue
		}
		for _, form := range []string{"/identity/sign-out", "/identity/sessions", "/preferences"} {
			if r := post(t, client, s.URL+form, nil, c.header); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: %s", form, name, r.Status)
			}
		}
	}
	if _, body := get(t, client, s.URL+"/who/ami"); body != "李强" {
		t.Error("a request from elsewhere signed the person out")
	}
}

func TestTokens(t *testing.T) {
	clock := testclock.NewFakeClock(time.Now())
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Clock: clock})
	ask := func(authorization string) (int, string) {
		request, err := http.NewRequest(http.MethodGet, s.URL+"/who/api/ami", nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		r, err := s.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return r.StatusCode, ""
		}
		var problem struct{ Detail string }
		if err := json.NewDecoder(r.Body).Decode(&problem); err != nil {
			t.Errorf("no problem document: %v", err)
		}
		if r.Header.Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
		return r.StatusCode, problem.Detail
	}
	good := s.Token(t, "sun-li")
	if status, detail := ask("Bearer " + good); status != http.StatusOK {
		t.Fatalf("with a token: %d %s", status, detail)
	}
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{
			"iss": s.Issuer.URL, "sub": "sun-li", "aud": s.Site(), "iat": clock.Now().Unix(), "exp": clock.Now().Add(time.Minute).Unix(),
		}
		change(c)
		return c
	}
	bad := map[string]string{"none": "", "nonsense": "Bearer nonsense", "another scheme": "Basic " + good, "a bare token": good}
	for name, change := range map[string]func(map[string]any){
		"of a sibling":         func(c map[string]any) { c["aud"] = "http://guting.localhost:8080" },
		"about signing in":     func(c map[string]any) { c["aud"] = "zhanqian.localhost" },
		"of another issuer":    func(c map[string]any) { c["iss"] = "https://id.example" },
		"for nobody":           func(c map[string]any) { delete(c, "aud") },
		"good for ever":        func(c map[string]any) { delete(c, "exp") },
		"expired":              func(c map[string]any) { c["exp"] = clock.Now().Add(-time.Second).Unix() },
		"not good for a while": func(c map[string]any) { c["nbf"] = clock.Now().Add(time.Hour).Unix() },
	} {
		bad[name] = "Bearer " + s.Issuer.Sign(t, claims(change))
	}
	stranger := identitytest.NewIssuer(t, clock.Now)
	stranger.Rotate()
	bad["signed by somebody else"] = "Bearer " + stranger.Sign(t, claims(func(map[string]any) {}))
	for name, authorization := range bad {
		if status, detail := ask(authorization); status != http.StatusUnauthorized || detail == "" {
			t.Errorf("with a token that is %s: %d %q", name, status, detail)
		}
	}
	s.Issuer.Rotate()
	if status, detail := ask("Bearer " + s.Token(t, "sun-li")); status != http.StatusOK {
		t.Errorf("with a new key of the issuer: %d %s", status, detail)
	}
	clock.Step(identitytest.TokenLifetime + time.Second)
	if status, _ := ask("Bearer " + good); status != http.StatusUnauthorized {
		t.Errorf("after its time: %d", status)
	}
}

func TestSessionsExpire(t *testing.T) {
	clock := testclock.NewFakeClock(time.Now())
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Clock: clock})
	resident, staff := s.SignIn(t, "li-qiang"), s.SignIn(t, "sun-li")
	// Browsers look at their own clock; the cookie stays.
	resident, staff = copyOf(t, s, resident), copyOf(t, s, staff)
	signedIn := func(client *http.Client) bool {
		r, _ := get(t, client, s.URL+"/who/ami")
		return r.StatusCode == http.StatusOK
	}
	clock.Step(identity.StaffSession - time.Second)
	if !signedIn(staff) {
		t.Error("the staff's session has ended too early")
	}
	clock.Step(time.Second)
	if signedIn(staff) || !signedIn(resident) {
		t.Error("after a working day the staff's session must have ended, and only that")
	}
	clock.Step(identity.ResidentSession - identity.StaffSession)
	if signedIn(resident) {
		t.Error("the resident's session has not ended")
	}
}

// With new keys nobody is signed out, and what was begun with the keys before
// is finished; after the next change it is not.
func TestKeysRotate(t *testing.T) {
	clock := testclock.NewFakeClock(time.Now())
	s := hosttest.Start(t, hosttest.Options{Services: []host.Service{whoami()}, Clock: clock})
	first, second, third := bytes.Repeat([]byte("k"), 32), bytes.Repeat([]byte("l"), 32), bytes.Repeat([]byte("m"), 32)
	begin := func(client *http.Client) string {
		r, _ := get(t, client, s.URL+"/identity/sign-in")
		r, _ = get(t, client, r.Header.Get("Location")+"&account=li-qiang")
		return r.Header.Get("Location")
	}
	invited := func(keys identity.Keys) bool {
		code, err := keys.Invitation("zhanqian", "meng-xiaoman")
		if err != nil {
			t.Fatal(err)
		}
		_, answer := get(t, s.Client(t), s.URL+"/who/invited?code="+code)
		return answer == "true"
	}
	before := s.SignIn(t, "chen-yutong")
	once, twice := s.Client(t), s.Client(t)
	onceBack, twiceBack := begin(once), begin(twice)
	s.RotateKeys(t, second, first)
	await(t, "the new keys", func() bool {
		clock.Step(time.Minute)
		return invited(identity.Keys{Current: second})
	})
	if r, _ := get(t, once, onceBack); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a sign-in that was begun with the keys before: %s", r.Status)
	}
	s.RotateKeys(t, third, second)
	await(t, "the third keys", func() bool {
		clock.Step(time.Minute)
		return invited(identity.Keys{Current: third})
	})
	if r, _ := get(t, twice, twiceBack); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a sign-in that was begun two keys before: %s", r.Status)
	}
	for why, keys := range map[string]identity.Keys{"of the first keys": {Current: first}, "of somebody's keys": {Current: bytes.Repeat([]byte("x"), 32)}} {
		if invited(keys) {
			t.Errorf("an invitation %s is good", why)
		}
	}
	if !invited(identity.Keys{Current: second}) {
		t.Error("an invitation of the keys before is worth nothing")
	}
	for _, client := range []*http.Client{before, once} {
		if r, _ := get(t, client, s.URL+"/who/ami"); r.StatusCode != http.StatusOK {
			t.Errorf("somebody was signed out by new keys: %s", r.Status)
		}
	}
}

func TestPreferences(t *testing.T) {
	s := hosttest.Start(t, hosttest.Options{})
	client := s.Client(t)
	page := func() string {
		_, body := get(t, client, s.URL+"/identity/nowhere?return=%2Fa")
		return body
	}
	if p := page(); !strings.Contains(p, `lang="zh-CN"`) || !strings.Contains(p, "要不要换成长辈版") || strings.Contains(p, `class="elder"`) {
		t.Error("the first visit is not in Chinese, in standard mode, with elder mode on offer")
	}
	if p := page(); !strings.Contains(p, `name="return" value="/identity/nowhere?return=%2Fa"`) {
		t.Error("the switches do not lead back to the page")
	}
	r := post(t, client, s.URL+"/preferences", url.Values{"mode": {"elder"}, "return": {"/identity/nowhere?return=%2Fa"}}, nil)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/identity/nowhere?return=%2Fa" {
		t.Fatalf("choosing elder mode: %s to %q", r.Status, r.Header.Get("Location"))
	}
	c := r.Cookies()[0]
	if c.Name != "linli-preferences" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge < int((300*24*time.Hour).Seconds()) {
		t.Errorf("the preferences cookie: %+v", c)
	}
	if p := page(); !strings.Contains(p, `class="elder"`) || strings.Contains(p, "要不要换成长辈版") {
		t.Error("elder mode is not in force, or still on offer")
	}
	post(t, client, s.URL+"/preferences", url.Values{"lang": {"en"}}, nil)
	if p := page(); !strings.Contains(p, `class="elder"`) || !strings.Contains(p, `<html lang="en"`) {
		t.Error("English, or elder mode with it, is not in force")
	}
	post(t, client, s.URL+"/preferences", url.Values{"lang": {"xx"}, "mode": {"tiny"}}, nil)
	if p := page(); !strings.Contains(p, `class="elder"`) || !strings.Contains(p, `<html lang="en"`) {
		t.Error("choices that do not exist changed something")
	}
	post(t, client, s.URL+"/preferences", url.Values{"mode": {"standard"}}, nil)
	if p := page(); strings.Contains(p, `class="elder"`) || strings.Contains(p, "Would you like elder mode") {
		t.Error("standard mode is not in force, or elder mode is on offer again")
	}
}

func post(t *testing.T, client *http.Client, url string, form url.Values, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		request.Header[name] = values
	}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	return r
}
