package idp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/linli-io/linli/internal/idp"
)

// wrong returns the n-th code that is not that one.
func wrong(code string, n int) string {
	return fmt.Sprintf("%06d", (atoi(code)+1+n)%1_000_000)
}

func atoi(s string) (n int) {
	fmt.Sscanf(s, "%d", &n)
	return n
}

// Ten wrong codes end the attempt, whichever codes they were compared with, and
// not the person: another attempt signs in.
func TestBruteForceOfCodes(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp, b := c.community(zhanqian), c.browser()
		f := rp.begin()
		code := b.askCode(f, liQiang)
		for i := range 5 {
			if p := b.post("/sign-in/code", "code", wrong(code, i)); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, `id="code-error"`) {
				t.Fatalf("wrong code %d answers %d: %s", i, p.status, p.body)
			}
		}
		// A new code does not begin the count anew, and makes the old one worthless.
		if p := b.post("/sign-in", "phone", liQiang); p.path != "/sign-in/code" {
			t.Fatalf("no second code: %d", p.status)
		}
		newer := c.gateway.last(t).Code
		if p := b.post("/sign-in/code", "code", code); newer != code && p.status != http.StatusUnprocessableEntity {
			t.Errorf("the former code answers %d", p.status)
		}
		for i := range 3 {
			b.post("/sign-in/code", "code", wrong(newer, i))
		}
		if p := b.post("/sign-in/code", "code", wrong(newer, 3)); p.status != http.StatusTooManyRequests {
			t.Errorf("the tenth wrong code answers %d", p.status)
		}
		if p := b.post("/sign-in/code", "code", newer); p.location != nil {
			t.Error("the right code was taken after ten wrong ones")
		}
		if p := b.post("/sign-in", "phone", liQiang); p.path == "/sign-in/code" {
			t.Error("an attempt that was ended sends codes")
		}
		c.signIn(zhanqian, liQiang)
	})
}

// Codes that are asked for are limited by number and by address; the wait is
// told, and over at some time.
func TestFlooding(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp := c.community(zhanqian)
		ask := func(phone string) page {
			b := c.browser()
			b.open(rp.begin().address)
			return b.post("/sign-in", "phone", phone)
		}
		for range 5 {
			ask(liQiang)
		}
		p := ask(liQiang)
		if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" || !strings.Contains(p.body, "60分钟") ||
			!strings.Contains(p.body, `value="`+liQiang+`"`) {
			t.Errorf("the sixth code in an hour answers %d: %s", p.status, p.body)
		}
		if n := c.gateway.count(); n != 5 {
			t.Errorf("%d codes were sent, want 5", n)
		}
		for i := range 25 {
			if p := ask(fmt.Sprintf("139000000%02d", i)); p.status != http.StatusOK {
				t.Fatalf("code %d of an address answers %d", i+6, p.status)
			}
		}
		if p := ask("13700000000"); p.status != http.StatusTooManyRequests {
			t.Errorf("the thirty-first code of an address answers %d", p.status)
		}
		for hour := 1; hour <= 4; hour++ {
			c.clock.Step(time.Hour)
			want := 5
			if hour == 4 {
				want = 0 // twenty in a day
			}
			before := c.gateway.count()
			for range 6 {
				ask(liQiang)
			}
			if n := c.gateway.count() - before; n != want {
				t.Errorf("%d codes were sent in hour %d, want %d", n, hour, want)
			}
		}
		c.clock.Step(20*time.Hour + time.Minute)
		if p := ask(liQiang); p.status != http.StatusOK {
			t.Errorf("a day later a code answers %d", p.status)
		}
	})
}

// X-Forwarded-For is believed from a trusted proxy only: elsewhere it would
// give everybody as many addresses as they like.
func TestForwardedAddress(t *testing.T) {
	flood := func(t *testing.T, c *county) (sent int) {
		rp := c.community(zhanqian)
		for i := range 32 {
			b := c.browser()
			b.open(rp.begin().address)
			form := strings.NewReader(url.Values{"phone": {fmt.Sprintf("139000000%02d", i)}}.Encode())
			r, err := http.NewRequest(http.MethodPost, issuer+"/sign-in", form)
			must(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i))
			b.do(r)
		}
		return c.gateway.count()
	}
	if n := flood(t, start(t, nil)); n != 30 {
		t.Errorf("%d codes for somebody who makes up addresses, want 30", n)
	}
	trusting := start(t, func(o *idp.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	if n := flood(t, trusting); n != 32 {
		t.Errorf("%d codes for 32 people behind a trusted proxy", n)
	}
}

// Nobody learns whether a number has an account: page, status, headers and
// messages are the same, up to the digits of the number itself.
func TestEnumeration(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		c.signIn(zhanqian, liQiang)
		rp := c.community(zhanqian)
		look := func(phone string) (asked, wrongCode page) {
			b := c.browser()
			code := b.askCode(rp.begin(), phone)
			asked = b.open("/sign-in/code")
			return asked, b.post("/sign-in/code", "code", wrong(code, 0))
		}
		strip := func(p page, phone string) string {
			spaced := phone[:3] + " " + phone[3:7] + " " + phone[7:]
			return fmt.Sprint(p.status, p.header.Values("Set-Cookie"), strings.ReplaceAll(p.body, spaced, ""))
		}
		knownAsked, knownWrong := look(liQiang)
		otherAsked, otherWrong := look("13999999999")
		if strip(knownAsked, liQiang) != strip(otherAsked, "13999999999") {
			t.Error("the page that asks for the code differs")
		}
		if a, b := c.cut(strip(knownWrong, liQiang)), c.cut(strip(otherWrong, "13999999999")); a != b {
			t.Errorf("the answer to a wrong code differs:\n%s\n%s", a, b)
		}
	})
}

// cut removes what was typed from a page.
func (c *county) cut(body string) string {
	i := strings.Index(body, `<input value="`)
	if i < 0 {
		return body
	}
	j := strings.Index(body[i+14:], `"`)
	return body[:i+14] + body[i+14+j:]
}

// A code is good for five minutes, once, and in the browser that asked for it.
func TestCodes(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp := c.community(zhanqian)
		b := c.browser()
		code := b.askCode(rp.begin(), liQiang)
		c.clock.Step(5*time.Minute + time.Second)
		if p := b.post("/sign-in/code", "code", code); p.location != nil {
			t.Error("a code was taken after five minutes")
		}
		mine, theirs := c.browser(), c.browser()
		mineCode := mine.askCode(rp.begin(), liQiang)
		if other := theirs.askCode(rp.begin(), liQiang); other != mineCode {
			if p := theirs.post("/sign-in/code", "code", mineCode); p.location != nil {
				t.Error("the code of one attempt was taken in another")
			}
		}
		if p := c.browser().post("/sign-in/code", "code", mineCode); p.status != http.StatusGone {
			t.Errorf("a code without the browser's cookie answers %d", p.status)
		}
		if p := mine.post("/sign-in/code", "code", mineCode); p.location == nil {
			t.Fatal("the right code was refused")
		}
		if p := mine.post("/sign-in/code", "code", mineCode); p.location != nil {
			t.Error("a code was taken twice")
		}
		late := c.browser()
		late.open(rp.begin().address)
		c.clock.Step(31 * time.Minute)
		if p := late.post("/sign-in", "phone", liQiang); p.status != http.StatusGone {
			t.Errorf("an attempt answers %d after half an hour", p.status)
		}
	})
}

// An authorization code is good once, for a minute, for the community and the
// verifier that it was asked with. One that is shown wrongly is spent.
func TestAuthorizationCodes(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp := c.community(zhanqian)
		people := 0
		granted := func(f flow) string {
			people++
			b := c.browser()
			return codeFrom(t, f, b.post("/sign-in/code", "code", b.askCode(f, fmt.Sprintf("139000000%02d", people))))
		}
		f := rp.begin()
		code := granted(f)
		if _, _, _, err := rp.redeem(f, code); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := rp.redeem(f, code); err == nil {
			t.Error("replayed code was taken")
		}
		f = rp.begin()
		code = granted(f)
		stolen := f
		stolen.verifier = oauth2.GenerateVerifier()
		if _, _, _, err := rp.redeem(stolen, code); err == nil {
			t.Error("another verifier was taken")
		}
		if _, _, _, err := rp.redeem(f, code); err == nil {
			t.Error("a code was taken after it was shown with another verifier")
		}
		for _, redirect := range []string{"https://" + guting + "/identity/callback", "https://" + zhanqian + "/identity/callback"} {
			sibling := c.community(guting)
			sibling.RedirectURL = redirect
			f = rp.begin()
			if _, err := sibling.Exchange(c.ctx(), granted(f), oauth2.VerifierOption(f.verifier)); err == nil {
				t.Errorf("another community redeemed the code with %s", redirect)
			}
		}
		f = rp.begin()
		code = granted(f)
		c.clock.Step(61 * time.Second)
		if _, _, _, err := rp.redeem(f, code); err == nil {
			t.Error("a code was taken after a minute")
		}
		f = rp.begin()
		if _, err := rp.Exchange(c.ctx(), granted(f)); err == nil {
			t.Error("a code was taken without a verifier")
		}
	})
}

// Requests that begin a sign-in: what is not exactly a community's own way is
// refused, and nothing is sent to an address that is not its own.
func TestAuthorizationRequests(t *testing.T) {
	c := start(t, nil)
	good := func() url.Values {
		return url.Values{
			"client_id": {zhanqian}, "redirect_uri": {"https://" + zhanqian + "/identity/callback"}, "response_type": {"code"},
			"scope": {"openid phone"}, "state": {"s"}, "nonce": {"n"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier("v")}, "code_challenge_method": {"S256"},
		}
	}
	client := func(host string) func(url.Values) {
		return func(q url.Values) {
			q.Set("client_id", host)
			q.Set("redirect_uri", "https://"+host+"/identity/callback")
		}
	}
	set := func(name string, values ...string) func(url.Values) {
		return func(q url.Values) { q[name] = values }
	}
	for _, tc := range []struct {
		name   string
		change func(url.Values)
		// back says that the community is told; else nobody is.
		back string
	}{
		{"as it should be", func(url.Values) {}, "page"},
		{"without PKCE", set("code_challenge"), "invalid_request"},
		{"with plain PKCE", set("code_challenge_method", "plain"), "invalid_request"},
		{"with a challenge that is none", set("code_challenge", "v"), "invalid_request"},
		{"without openid", set("scope", "phone"), "invalid_scope"},
		{"without asking", set("prompt", "none"), "login_required"},
		{"as a form", set("response_mode", "form_post"), "invalid_request"},
		{"in the fragment", set("response_mode", "fragment"), "invalid_request"},
		{"with a state that is too long", set("state", strings.Repeat("s", 513)), "invalid_request"},
		{"for a token", set("response_type", "id_token token"), ""},
		{"by a request object", set("request", "e30.e30."), ""},
		{"back to elsewhere", set("redirect_uri", "https://evil.example.com/identity/callback"), ""},
		{"back to a sibling", set("redirect_uri", "https://"+guting+"/identity/callback"), ""},
		{"back to another path", set("redirect_uri", "https://"+zhanqian+"/identity/callback/../../x"), ""},
		{"back with a query", set("redirect_uri", "https://"+zhanqian+"/identity/callback?x"), ""},
		{"back without TLS", set("redirect_uri", "http://"+zhanqian+"/identity/callback"), ""},
		{"back to another port", set("redirect_uri", "https://"+zhanqian+":8443/identity/callback"), ""},
		{"back to a user name", set("redirect_uri", "https://"+zhanqian+"@evil.example.com/identity/callback"), ""},
		{"back to nowhere", set("redirect_uri"), ""},
		{"of nobody", set("client_id"), ""},
		{"of a reserved name", client("www.example.org"), ""},
		{"of the provider itself", client("id.example.org"), ""},
		{"of the exchange", client("sharing.example.org"), ""},
		{"of another domain", client("zhanqian.example.com"), ""},
		{"of a domain that ends alike", client("zhanqian.badexample.org"), ""},
		{"of the domain itself", client("example.org"), ""},
		{"of a name beneath a community", client("x.zhanqian.example.org"), ""},
		{"in capitals", client("ZHANQIAN.example.org"), ""},
	} {
		q := good()
		tc.change(q)
		p := c.browser().open("/authorize?" + q.Encode())
		switch tc.back {
		case "page":
			if p.path != "/sign-in" || p.status != http.StatusOK {
				t.Errorf("%s: %d at %s", tc.name, p.status, p.path)
			}
		case "":
			if p.location != nil || p.status < 400 || p.status >= 500 || p.path == "/sign-in" {
				t.Errorf("%s: %d at %s, to %v", tc.name, p.status, p.path, p.location)
			}
		default:
			if p.location == nil || p.location.Host != zhanqian || p.location.Query().Get("error") != tc.back || p.location.Query().Get("state") != q.Get("state") {
				t.Errorf("%s: %d, to %v: want the error %s", tc.name, p.status, p.location, tc.back)
			}
		}
	}
	b := c.browser()
	r, err := http.NewRequest(http.MethodPost, issuer+"/authorize", strings.NewReader(good().Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p := b.do(r); p.status != http.StatusMethodNotAllowed {
		t.Errorf("beginning by a form answers %d", p.status)
	}
}

// Whoever plants a cookie in somebody's browser, or knows the one that was
// there before, has nothing of the attempt that begins then.
func TestFixation(t *testing.T) {
	c := start(t, nil)
	rp := c.community(zhanqian)
	attacker := c.browser()
	attacker.open(rp.begin().address)
	home, err := url.Parse(issuer)
	must(t, err)
	planted := attacker.Jar.Cookies(home)
	if len(planted) != 1 || planted[0].Name != "__Host-linli-attempt" {
		t.Fatalf("cookies %v, want one of the attempt", planted)
	}
	victim := c.browser()
	victim.Jar.SetCookies(home, []*http.Cookie{{Name: planted[0].Name, Value: planted[0].Value, Path: "/", Secure: true}})
	f := rp.begin()
	victim.open(f.address)
	if now := victim.Jar.Cookies(home); len(now) != 1 || now[0].Value == planted[0].Value {
		t.Errorf("the attempt uses the cookie that was planted")
	}
	code := victim.askCode(f, liQiang)
	if p := attacker.post("/sign-in/code", "code", code); p.location != nil {
		t.Error("who planted the cookie is signed in")
	}
	cookie := c.cookieOf(f)
	if longest := c.cookieOf(rp.begin(oauth2.SetAuthURLParam("state", strings.Repeat("s", 512)), oauth2.SetAuthURLParam("nonce", strings.Repeat("n", 512)))); len(longest) > 4096 {
		t.Errorf("the cookie has %d bytes, browsers keep 4096", len(longest))
	}
	forged := c.browser()
	forged.Jar.SetCookies(home, []*http.Cookie{{Name: planted[0].Name, Value: planted[0].Value[:40] + "A" + planted[0].Value[41:], Path: "/", Secure: true}})
	if p := forged.open("/sign-in"); p.status != http.StatusGone {
		t.Errorf("a cookie that was changed answers %d", p.status)
	}
	for _, want := range []string{"__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("siblings get the cookie: %s", cookie)
	}
}

// cookieOf is the Set-Cookie of the answer to a request that begins a sign-in.
func (c *county) cookieOf(f flow) string {
	b := c.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b.open(f.address).header.Get("Set-Cookie")
}

// Forms are taken from the provider's own pages only: a community beside it is
// the same site for browsers, and another origin.
func TestCrossSiteForms(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	b.open(c.community(zhanqian).begin().address)
	for name, header := range map[string]map[string]string{
		"a sibling's, by fetch metadata": {"Sec-Fetch-Site": "same-site"},
		"another site's":                 {"Sec-Fetch-Site": "cross-site"},
		"a sibling's, by origin":         {"Origin": "https://" + zhanqian},
	} {
		for _, path := range []string{"/sign-in", "/sign-in/code", "/sign-in/password", "/sign-in/enrol", "/sign-in/app", "/preferences", "/oauth/token"} {
			r, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader("phone="+liQiang))
			must(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range header {
				r.Header.Set(k, v)
			}
			if p := b.do(r); p.status != http.StatusForbidden {
				t.Errorf("%s form for %s answers %d", name, path, p.status)
			}
		}
	}
	if n := c.gateway.count(); n != 0 {
		t.Errorf("%d codes were sent at the wish of other sites", n)
	}
}

// Tokens are asked for in a body, where no log has the code; nobody's page
// reads them across origins; other host names are not served.
func TestProtocolHardening(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	if p := b.open("/oauth/token?grant_type=authorization_code&code=x&client_id=" + zhanqian); p.status != http.StatusMethodNotAllowed {
		t.Errorf("a code in the query answers %d", p.status)
	}
	p := b.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "x", "client_id", zhanqian)
	if p.status != http.StatusBadRequest {
		t.Errorf("a refresh token answers %d", p.status)
	}
	p = b.post("/oauth/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "x")
	if p.status < 400 || p.status >= 500 {
		t.Errorf("an assertion as a grant answers %d", p.status)
	}
	r, err := http.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
	must(t, err)
	r.Header.Set("Origin", "https://evil.example.com")
	r.Header.Set("Authorization", "Bearer x.y.z")
	if p := b.do(r); p.status != http.StatusUnauthorized || p.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("userinfo answers %d, %v", p.status, p.header)
	}
	answer, err := (&http.Client{Transport: c.transport()}).Get("https://" + zhanqian + "/.well-known/openid-configuration")
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host name answers %d", answer.StatusCode)
	}
	for _, name := range []string{"Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy"} {
		if b.open("/").header.Get(name) == "" {
			t.Errorf("the page has no %s", name)
		}
	}
}

// What is not a number is told beside the field, with what was typed.
func TestWrongNumber(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	b.open(c.community(zhanqian).begin().address)
	p := b.post("/sign-in", "phone", "1380000")
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, `id="phone-error"`) || !strings.Contains(p.body, `value="1380000"`) {
		t.Errorf("answers %d: %s", p.status, p.body)
	}
	if p := b.post("/sign-in", "phone", strings.Repeat("1", 70<<10)); p.status != http.StatusBadRequest {
		t.Errorf("a form that is too large answers %d", p.status)
	}
}

// A message that the gateway does not take is tried again shortly, and then
// the person is told, in the same words whoever they are.
func TestGatewayFails(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	b.open(c.community(zhanqian).begin().address)
	ask := func() page {
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				select {
				case <-done:
					return
				default:
					if c.clock.Waiters() > 1 { // beside the upkeep, the pause between two tries
						c.clock.Step(time.Second)
					}
					runtime.Gosched()
				}
			}
		}()
		return b.post("/sign-in", "phone", liQiang)
	}
	c.gateway.refuse = 2
	if p := ask(); p.path != "/sign-in/code" || c.gateway.tries != 3 {
		t.Errorf("after %d tries: %d at %s", c.gateway.tries, p.status, p.path)
	}
	c.gateway.refuse = 3
	if p := ask(); p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, "发不出短信") || !strings.Contains(p.body, liQiang) {
		t.Errorf("a gateway that is down answers %d: %s", p.status, p.body)
	}
}

// Neither logs nor metrics hold a number, a code, a cookie or a host's query.
func TestNothingPersonalIsLogged(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp, b := c.community(zhanqian), c.browser()
		f := rp.begin()
		b.open(f.address)
		b.post("/sign-in", "phone", "13812345678x")
		code := b.askCode(f, "13812345678")
		b.post("/sign-in/code", "code", wrong(code, 0))
		granted := codeFrom(t, f, b.post("/sign-in/code", "code", code))
		id, _, token, err := rp.redeem(f, granted)
		must(t, err)
		b.open("/authorize?client_id=" + zhanqian + "&login_hint=13812345678&state=13812345678&redirect_uri=https://evil.example.com")
		answer, err := http.Get(c.metrics + "/metrics")
		must(t, err)
		defer answer.Body.Close()
		metrics, err := io.ReadAll(answer.Body)
		must(t, err)
		if !strings.Contains(string(metrics), `linli_idp_sign_ins_total{outcome="resident"} 1`) {
			t.Error("the sign-in is not counted")
		}
		for _, personal := range []string{"13812345678", "****5678", "138****", code, granted, id.Subject, token.AccessToken, f.state, "evil"} {
			if strings.Contains(c.log.String(), personal) || len(personal) > 6 && strings.Contains(string(metrics), personal) {
				t.Errorf("%q is in the log or the metrics", personal)
			}
		}
	})
}
