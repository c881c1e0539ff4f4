package idp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/linli-io/linli/internal/idp"
)

// A resident signs in with a number and a code; the community learns the
// number, a subject of its own and how it was proven, and nothing else.
func TestResidentSignsIn(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp, b := c.community(zhanqian), c.browser()
		f := rp.begin()
		p := b.open(f.address)
		if p.status != http.StatusOK || !strings.Contains(p.body, zhanqian) {
			t.Fatalf("the first page answered %d and does not say for whom it is", p.status)
		}
		p = b.post("/sign-in", "phone", "１３８ 0000-0002")
		if p.path != "/sign-in/code" || !strings.Contains(p.body, "138 0000 0002") {
			t.Fatalf("the number led to %s: %s", p.path, p.body)
		}
		m := c.gateway.last(t)
		if m.Phone != "+8613800000002" || m.Kind != "sign-in-code" || !strings.Contains(m.Text, m.Code) || len(m.Code) != 6 {
			t.Errorf("the message is %+v", m)
		}
		if strings.Contains(p.body, m.Code) {
			t.Error("the page shows the code, and this is no demonstration")
		}
		if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://"+zhanqian+";") {
			t.Errorf("Chromium would not follow the redirect to the community: %s", csp)
		}
		p = b.post("/sign-in/code", "code", " "+m.Code[:3]+" "+m.Code[3:])
		if p.location == nil || p.location.Host != zhanqian || p.location.Path != "/identity/callback" {
			t.Fatalf("the code led to %v: %s", p.location, p.body)
		}
		id, access, token, err := rp.redeem(f, codeFrom(t, f, p))
		must(t, err)
		if id.ACR != idp.ACRResident || id.Phone != "+8613800000002" || !id.PhoneVerified || len(id.Audience) != 1 || id.AuthTime != c.clock.Now().Unix() {
			t.Errorf("ID token: %+v", id)
		}
		if access.Subject != id.Subject || access.ACR != idp.ACRResident || access.Phone != id.Phone ||
			!slices.Equal(access.Audience, []string{"https://" + zhanqian}) {
			t.Errorf("access token: %+v", access)
		}
		if life := time.Duration(access.Expires-access.Issued) * time.Second; life < 14*time.Minute || life > 15*time.Minute+time.Second {
			t.Errorf("the access token lives for %s", life)
		}
		if token.RefreshToken != "" {
			t.Error("there is a refresh token")
		}
		info, err := rp.provider.UserInfo(c.ctx(), oauth2.StaticTokenSource(token))
		must(t, err)
		var told claims
		must(t, info.Claims(&told))
		if info.Subject != id.Subject || told.Phone != id.Phone || told.ACR != id.ACR {
			t.Errorf("userinfo: %s, %+v", info.Subject, told)
		}
		if p := b.open("/sign-in/code"); p.status != http.StatusGone || !strings.Contains(p.body, "https://"+zhanqian+"/") {
			t.Errorf("going back answers %d: %s", p.status, p.body)
		}
	})
}

// The same person is the same in one community, and somebody else in another,
// also after a restart and after a change of the provider's key.
func TestSubjects(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		first, _, _ := c.signIn(zhanqian, liQiang)
		other, _, _ := c.signIn(guting, liQiang)
		if first.Subject == other.Subject {
			t.Error("two communities can tell that it is the same person")
		}
		if again, _, _ := c.signIn(zhanqian, "+86 "+liQiang); again.Subject != first.Subject {
			t.Error("the same person is somebody else the second time")
		}
		key := filepath.Join(c.options.KeysDir, "idp.key")
		must(t, os.Rename(key, filepath.Join(c.options.KeysDir, "idp.previous.key")))
		newKey(t, key)
		c.restart()
		must(t, os.Remove(filepath.Join(c.options.KeysDir, "idp.previous.key")))
		c.restart()
		if again, _, _ := c.signIn(zhanqian, liQiang); again.Subject != first.Subject {
			t.Error("the person is somebody else after a change of the provider's key")
		}
		c.stop()
		newKey(t, key)
		if _, err := idp.Start(t.Context(), c.options); err == nil || !strings.Contains(err.Error(), "idp.previous.key") {
			t.Errorf("started with a key that the database was not sealed with: %v", err)
		}
	})
}

// A restart loses nothing: neither an attempt half-way, nor keys, nor a code
// that was granted.
func TestRestart(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp, b := c.community(zhanqian), c.browser()
		f := rp.begin()
		code := b.askCode(f, liQiang)
		c.restart()
		granted := codeFrom(t, f, b.post("/sign-in/code", "code", code))
		c.restart()
		_, access, token, err := rp.redeem(f, granted)
		must(t, err)
		c.restart()
		if again, err := c.read(token.AccessToken, "https://"+zhanqian); err != nil || again.Subject != access.Subject {
			t.Errorf("the token cannot be checked after a restart: %v", err)
		}
	})
}

// Two replicas share one database: what one begins the other ends.
func TestReplicas(t *testing.T) {
	dir := dsnDir(t)
	c := start(t, func(o *idp.Options) { o.DatabaseDir = dir })
	rp, b := c.community(zhanqian), c.browser()
	f := rp.begin()
	code := b.askCode(f, liQiang)
	other := start(t, func(o *idp.Options) { o.DatabaseDir, o.KeysDir = dir, c.options.KeysDir })
	c.addr = other.addr
	b.Transport.(*http.Transport).CloseIdleConnections()
	if _, _, _, err := rp.redeem(f, codeFrom(t, f, b.post("/sign-in/code", "code", code))); err != nil {
		t.Error(err)
	}
}

// A number that was not used for 180 days may be somebody else's: whoever
// holds it now gets an account of their own.
func TestReissuedNumber(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		first, _, _ := c.signIn(zhanqian, liQiang)
		c.clock.Step(179 * 24 * time.Hour)
		if again, _, _ := c.signIn(zhanqian, liQiang); again.Subject != first.Subject {
			t.Error("somebody else after 179 days")
		}
		c.clock.Step(181 * 24 * time.Hour)
		if again, _, _ := c.signIn(zhanqian, liQiang); again.Subject == first.Subject {
			t.Error("the number alone opened an account that was not used for 181 days")
		}
	})
}

// The discovery document promises what holds here and nothing else.
func TestDiscovery(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	p := b.open("/.well-known/openid-configuration")
	var d map[string]any
	must(t, json.Unmarshal([]byte(p.body), &d))
	for name, want := range map[string]string{
		"issuer":                                issuer,
		"response_types_supported":              "[code]",
		"subject_types_supported":               "[pairwise]",
		"code_challenge_methods_supported":      "[S256]",
		"acr_values_supported":                  "[urn:linli:acr:resident urn:linli:acr:staff]",
		"scopes_supported":                      "[openid phone]",
		"id_token_signing_alg_values_supported": "[ES256]",
		"token_endpoint_auth_methods_supported": "[none private_key_jwt]",
		"grant_types_supported":                 "[authorization_code client_credentials urn:ietf:params:oauth:grant-type:token-exchange]",
	} {
		if got := strings.TrimSpace(jsonText(d[name])); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, absent := range []string{"introspection_endpoint", "revocation_endpoint", "device_authorization_endpoint", "registration_endpoint"} {
		if d[absent] != nil {
			t.Errorf("%s is %v", absent, d[absent])
		}
	}
	for _, path := range []string{"/oauth/introspect", "/revoke", "/device_authorization", "/authorize/callback", "/healthz", "/metrics", "/livez"} {
		if p := b.open(path); p.status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, p.status)
		}
	}
}

func jsonText(v any) string {
	if list, ok := v.([]any); ok {
		var parts []string
		for _, e := range list {
			parts = append(parts, jsonText(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	s, _ := v.(string)
	return s
}

// Signing out leads back to the community that asked, and to nowhere else.
func TestEndSession(t *testing.T) {
	c := start(t, nil)
	_, _, token := c.signIn(zhanqian, liQiang)
	hint := token.Extra("id_token").(string)
	for _, tc := range []struct {
		name string
		ask  url.Values
		want string
	}{
		{"by hint", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://" + zhanqian + "/"}, "state": {"s"}}, "https://" + zhanqian + "/?state=s"},
		{"by client", url.Values{"client_id": {zhanqian}, "post_logout_redirect_uri": {"https://" + zhanqian + "/"}}, "https://" + zhanqian + "/"},
		{"elsewhere", url.Values{"client_id": {zhanqian}, "post_logout_redirect_uri": {"https://evil.example.com/"}}, ""},
		{"to a sibling", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://" + guting + "/"}}, ""},
		{"to nobody's", url.Values{"post_logout_redirect_uri": {"https://evil.example.com/"}}, ""},
		{"of a reserved name", url.Values{"client_id": {"www.example.org"}, "post_logout_redirect_uri": {"https://www.example.org/"}}, ""},
	} {
		p := c.browser().open("/end_session?" + tc.ask.Encode())
		got := ""
		if p.location != nil {
			got = p.location.String()
		}
		if got != tc.want {
			t.Errorf("%s: led to %q (%d), want %q", tc.name, got, p.status, tc.want)
		}
	}
}

// The demonstration shows its codes and says what it is; it runs on this
// machine's names only.
func TestDemo(t *testing.T) {
	demo := func(o *idp.Options) { o.Demo, o.SMSWebhook = true, "" }
	c := start(t, func(o *idp.Options) { demo(o); o.Issuer, o.Domain = "http://id.localhost", "localhost" })
	b := c.browser()
	address := "http://id.localhost/authorize?" + url.Values{
		"client_id": {"zhanqian.localhost"}, "redirect_uri": {"http://zhanqian.localhost/identity/callback"}, "response_type": {"code"},
		"scope": {"openid phone"}, "code_challenge": {oauth2.S256ChallengeFromVerifier("v")}, "code_challenge_method": {"S256"},
	}.Encode()
	b.CheckRedirect = nil
	if p := b.open(address); !strings.Contains(p.body, "这是演示") {
		t.Errorf("the page does not say that it is a demonstration: %s", p.body)
	}
	answer, err := b.PostForm("http://id.localhost/sign-in", url.Values{"phone": {liQiang}})
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	code := codeOnPage.FindStringSubmatch(string(body))
	if code == nil || !strings.Contains(string(body), "这是演示") {
		t.Fatalf("no code on the page: %s", body)
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	back, err := b.PostForm("http://id.localhost/sign-in/code", url.Values{"code": {code[1]}})
	must(t, err)
	defer back.Body.Close()
	if to := back.Header.Get("Location"); !strings.HasPrefix(to, "http://zhanqian.localhost/identity/callback?code=") {
		t.Errorf("the code on the page led to %q", to)
	}
}

// Settings that would be dangerous or useless are refused, with what to do.
func TestSettings(t *testing.T) {
	good := start(t, nil).options
	for _, tc := range []struct {
		name   string
		change func(*idp.Options)
		want   string
	}{
		{"http on a public name", func(o *idp.Options) { o.Issuer = "http://id.example.org" }, "must be https"},
		{"a name that only begins alike", func(o *idp.Options) { o.Issuer = "http://localhost.example.org" }, "must be https"},
		{"a path", func(o *idp.Options) { o.Issuer = issuer + "/id" }, "without a path"},
		{"a demonstration in public", func(o *idp.Options) { o.Demo, o.SMSWebhook = true, "" }, "--demo"},
		{"both ways", func(o *idp.Options) { o.Issuer, o.Demo = "http://id.localhost", true }, "exclude"},
		{"no way for codes", func(o *idp.Options) { o.SMSWebhook = "" }, "--sms-webhook is missing"},
		{"a gateway without TLS", func(o *idp.Options) { o.SMSWebhook = "http://sms.example.org/" }, "https"},
		{"no domain", func(o *idp.Options) { o.Domain = "" }, "--domain"},
		{"no key", func(o *idp.Options) { o.KeysDir = t.TempDir() }, "linli-idp-keys"},
	} {
		o := good
		o.DataDir = t.TempDir()
		tc.change(&o)
		if _, err := idp.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", tc.name, err, tc.want)
		}
	}
}

// Somebody who presses twice, and somebody who signs in on two devices at the
// same moment, meet no error and become one person.
func TestAtTheSameMoment(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		rp := c.community(zhanqian)
		impatient := c.browser()
		impatient.open(rp.begin().address)
		var presses sync.WaitGroup
		for range 2 {
			presses.Go(func() {
				if p := impatient.post("/sign-in", "phone", "13700000001"); p.path != "/sign-in/code" {
					t.Errorf("asking twice at once led to %d at %s", p.status, p.path)
				}
			})
		}
		presses.Wait()

		browsers, flows, codes := make([]*browser, 5), make([]flow, 5), make([]string, 5)
		for i := range browsers {
			browsers[i], flows[i] = c.browser(), rp.begin()
			codes[i] = browsers[i].askCode(flows[i], liQiang)
		}
		subjects := make([]string, len(browsers))
		var devices sync.WaitGroup
		for i := range browsers {
			devices.Go(func() {
				p := browsers[i].post("/sign-in/code", "code", codes[i])
				if p.location == nil {
					t.Errorf("device %d: %d at %s", i, p.status, p.path)
					return
				}
				id, _, _, err := rp.redeem(flows[i], p.location.Query().Get("code"))
				if err != nil {
					t.Errorf("device %d: %v", i, err)
				}
				subjects[i] = id.Subject
			})
		}
		devices.Wait()
		if slices.Sort(subjects); len(slices.Compact(subjects)) != 1 {
			t.Errorf("one person became %v", subjects)
		}
	})
}
