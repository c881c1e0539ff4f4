package idp_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/idp"
)

const (
	issuer    = "https://id.example.org"
	zhanqian  = "zhanqian.example.org"
	guting    = "guting.example.org"
	liQiang   = "13800000002"
	sunLi     = "13800000005"
	smsSecret = "a secret that the gateway knows"
)

// county is a provider that runs as county IT runs it: real files, real HTTP,
// behind a gateway that ends TLS, which is the clients' transport here.
type county struct {
	t       testing.TB
	clock   *clocktesting.FakeClock
	gateway *gateway
	options idp.Options
	log     *lockedBuffer
	addr    string
	metrics string
	stop    func()
}

// each runs f against a provider on each engine.
func each(t *testing.T, f func(t *testing.T, c *county)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, start(t, nil)) })
	t.Run("postgres", func(t *testing.T) {
		f(t, start(t, func(o *idp.Options) { o.DatabaseDir = dsnDir(t) }))
	})
}

func dsnDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "dsn"), []byte(databasetest.Postgres(t)), 0o600))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB, path string) {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	must(t, os.WriteFile(path, key, 0o600))
}

func start(t testing.TB, change func(*idp.Options)) *county {
	t.Helper()
	c := &county{t: t, log: &lockedBuffer{}, gateway: newGateway(t)}
	// The library stamps tokens with the machine's time.
	c.clock = clocktesting.NewFakeClock(time.Now())
	keys := t.TempDir()
	newKey(t, filepath.Join(keys, "idp.key"))
	must(t, os.WriteFile(filepath.Join(keys, "sms.secret"), []byte(smsSecret+"\n"), 0o600))
	c.options = idp.Options{
		Issuer: issuer, Domain: "example.org", DataDir: t.TempDir(), KeysDir: keys,
		Address: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0",
		SMSWebhook: c.gateway.URL, SMSSecretFile: filepath.Join(keys, "sms.secret"),
		Clock: c.clock, Log: slog.New(slog.NewJSONHandler(c.log, nil)),
	}
	if change != nil {
		change(&c.options)
	}
	c.run()
	t.Cleanup(func() { c.stop() })
	return c
}

// run starts the provider; stop ends it.
func (c *county) run() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := idp.Start(ctx, c.options)
	if err != nil {
		cancel()
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait(ctx) }()
	c.addr, c.metrics = p.Addr().String(), "http://"+p.MetricsAddr().String()
	c.stop = func() {
		c.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			c.t.Errorf("the provider ended with %v", err)
		}
		c.stop = func() {}
	}
}

func (c *county) restart() {
	c.t.Helper()
	c.stop()
	c.run()
}

// transport reaches the provider by every name, TLS ended on the way.
func (c *county) transport() http.RoundTripper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", c.addr)
	}
	tr := &http.Transport{DialContext: dial, DialTLSContext: dial}
	c.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// gateway takes the messages with codes.
type gateway struct {
	*httptest.Server
	mu       sync.Mutex
	refuse   int // how many further requests are answered with 500
	tries    int
	messages []smsMessage
}

type smsMessage struct {
	ID, Phone, Kind, Code, Text, Language string
}

func newGateway(t testing.TB) *gateway {
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.tries++
		body, err := io.ReadAll(r.Body)
		if err != nil || !signed(r.Header.Get("Linli-Signature"), body) {
			t.Errorf("a message that is not signed: %q, %v", r.Header.Get("Linli-Signature"), err)
		}
		if g.refuse > 0 {
			g.refuse--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var m smsMessage
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		g.messages = append(g.messages, m)
	}))
	t.Cleanup(g.Close)
	return g
}

func signed(header string, body []byte) bool {
	at, signature, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	h := hmac.New(sha256.New, []byte(smsSecret))
	h.Write([]byte(at + "." + string(body)))
	return ok && signature == hex.EncodeToString(h.Sum(nil))
}

func (g *gateway) last(t testing.TB) smsMessage {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.messages) == 0 {
		t.Fatal("no message was sent")
	}
	return g.messages[len(g.messages)-1]
}

func (g *gateway) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.messages)
}

// browser is somebody's browser: it keeps cookies, follows redirects within
// the provider and stops where one leads to a community.
type browser struct {
	*http.Client
	county *county
}

func (c *county) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(c.t, err)
	return &browser{county: c, Client: &http.Client{
		Jar: jar, Transport: c.transport(),
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Host != "id.example.org" {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// page is what a browser got.
type page struct {
	status   int
	path     string
	body     string
	location *url.URL // where a redirect leads out of the provider
	header   http.Header
}

func (b *browser) do(r *http.Request) page {
	b.county.t.Helper()
	r.Header.Set("Accept", "text/html")
	answer, err := b.Do(r)
	must(b.county.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(b.county.t, err)
	p := page{status: answer.StatusCode, path: answer.Request.URL.Path, body: string(body), header: answer.Header}
	if answer.Header.Get("Location") != "" {
		p.location, err = answer.Location()
		must(b.county.t, err)
	}
	return p
}

func (b *browser) open(address string) page {
	b.county.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = issuer + address
	}
	r, err := http.NewRequest(http.MethodGet, address, nil)
	must(b.county.t, err)
	return b.do(r)
}

func (b *browser) post(path string, fields ...string) page {
	b.county.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	must(b.county.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

// community is a relying party, made with a client library that nobody here wrote.
type community struct {
	county   *county
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth2.Config
}

func (c *county) ctx() context.Context {
	return oidc.ClientContext(context.Background(), &http.Client{Transport: c.transport()})
}

func (c *county) community(host string) *community {
	c.t.Helper()
	provider, err := oidc.NewProvider(c.ctx(), issuer)
	must(c.t, err)
	return &community{
		county: c, provider: provider, verifier: provider.Verifier(&oidc.Config{ClientID: host}),
		Config: oauth2.Config{
			ClientID: host, Endpoint: provider.Endpoint(), RedirectURL: "https://" + host + "/identity/callback",
			Scopes: []string{oidc.ScopeOpenID, "phone"},
		},
	}
}

// flow is one sign-in as the community remembers it.
type flow struct {
	state, nonce, verifier, address string
}

func (c *community) begin(more ...oauth2.AuthCodeOption) flow {
	f := flow{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	f.address = c.AuthCodeURL(f.state, append([]oauth2.AuthCodeOption{oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier)}, more...)...)
	return f
}

var staffWay = oauth2.SetAuthURLParam("acr_values", idp.ACRStaff)

// claims are what tests look at of a token.
type claims struct {
	Subject       string      `json:"sub"`
	Audience      oidcAud     `json:"aud"`
	ACR           string      `json:"acr"`
	Phone         string      `json:"phone_number"`
	PhoneVerified bool        `json:"phone_number_verified"`
	ClientID      string      `json:"client_id"`
	AuthTime      int64       `json:"auth_time"`
	Expires       int64       `json:"exp"`
	Issued        int64       `json:"iat"`
	Act           *actorClaim `json:"act"`
}

type actorClaim struct {
	Subject string `json:"sub"`
}

// oidcAud is an audience of one or of several.
type oidcAud []string

func (a *oidcAud) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = oidcAud{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// redeem exchanges a code and verifies what comes back: ID token and access token.
func (c *community) redeem(f flow, code string) (id, access claims, token *oauth2.Token, err error) {
	token, err = c.Exchange(c.county.ctx(), code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		return id, access, nil, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return id, access, nil, fmt.Errorf("no ID token")
	}
	idToken, err := c.verifier.Verify(c.county.ctx(), raw)
	if err != nil {
		return id, access, nil, err
	}
	if idToken.Nonce != f.nonce {
		return id, access, nil, fmt.Errorf("nonce %q, want %q", idToken.Nonce, f.nonce)
	}
	if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
		return id, access, nil, err
	}
	must(c.county.t, idToken.Claims(&id))
	access, err = c.county.read(token.AccessToken, "https://"+c.ClientID)
	if err == nil && access.ClientID != c.ClientID {
		return id, access, nil, fmt.Errorf("client_id %q, want %q: communities take the token for a program's", access.ClientID, c.ClientID)
	}
	return id, access, token, err
}

// read verifies an access token for an audience.
func (c *county) read(token, audience string) (got claims, err error) {
	provider, err := oidc.NewProvider(c.ctx(), issuer)
	must(c.t, err)
	verified, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(c.ctx(), token)
	if err != nil {
		return got, err
	}
	must(c.t, verified.Claims(&got))
	return got, nil
}

var codeOnPage = regexp.MustCompile(`id="demo-code">([0-9]{6})<`)

// askCode goes from a community to the page that asks for the code, and
// returns the code that was sent.
func (b *browser) askCode(f flow, phone string) string {
	b.county.t.Helper()
	if p := b.open(f.address); p.status != http.StatusOK || p.path != "/sign-in" {
		b.county.t.Fatalf("beginning led to %d at %s: %s", p.status, p.path, p.body)
	}
	if p := b.post("/sign-in", "phone", phone); p.status != http.StatusOK || p.path != "/sign-in/code" {
		b.county.t.Fatalf("the number led to %d at %s: %s", p.status, p.path, p.body)
	}
	return b.county.gateway.last(b.county.t).Code
}

// codeFrom is the authorization code of a redirect to the community.
func codeFrom(t testing.TB, f flow, p page) string {
	t.Helper()
	if p.status != http.StatusSeeOther || p.location == nil || p.location.Query().Get("code") == "" {
		t.Fatalf("no way back to the community: %d at %s, %s", p.status, p.path, p.body)
	}
	if got := p.location.Query().Get("state"); got != f.state {
		t.Errorf("state %q, want %q", got, f.state)
	}
	return p.location.Query().Get("code")
}

// signIn signs a resident in to a community, in a browser of their own.
func (c *county) signIn(host, phone string) (id, access claims, token *oauth2.Token) {
	c.t.Helper()
	rp, b := c.community(host), c.browser()
	f := rp.begin()
	code := b.askCode(f, phone)
	p := b.post("/sign-in/code", "code", code)
	id, access, token, err := rp.redeem(f, codeFrom(c.t, f, p))
	must(c.t, err)
	return id, access, token
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
