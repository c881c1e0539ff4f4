package idp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/linli-io/linli/internal/idp"
)

const (
	civilAffairs = "civil-affairs"
	exchange     = "sharing.example.org"
)

// keys are departments with a key each.
type keys map[string]*ecdsa.PrivateKey

func (k keys) Key(_ context.Context, department, keyID string) (*jose.JSONWebKey, error) {
	key, ok := k[department]
	if !ok || keyID != "1" {
		return nil, errors.New("no such key")
	}
	return &jose.JSONWebKey{Key: key.Public(), KeyID: "1", Algorithm: string(jose.ES256)}, nil
}

func newKeys(t *testing.T, departments ...string) keys {
	k := keys{}
	for _, d := range departments {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		k[d] = key
	}
	return k
}

// assert makes a client assertion, as change leaves it.
func assert(t *testing.T, key *ecdsa.PrivateKey, department string, change func(*jwt.Claims)) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	must(t, err)
	now := time.Now()
	c := jwt.Claims{
		Issuer: department, Subject: department, Audience: jwt.Audience{issuer}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}
	if change != nil {
		change(&c)
	}
	token, err := jwt.Signed(signer).Claims(c).Serialize()
	must(t, err)
	return token
}

// tokenFor asks for a token; the status says what became of it.
func (c *county) tokenFor(assertion string, fields ...string) (token string, status int, life int) {
	c.t.Helper()
	p := c.browser().post("/oauth/token", append([]string{
		"client_assertion", assertion, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	}, fields...)...)
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	must(c.t, json.Unmarshal([]byte(p.body), &answer))
	return answer.AccessToken, p.status, answer.ExpiresIn
}

// A department proves itself by its key and gets a token for one community.
func TestDepartments(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		k := newKeys(t, civilAffairs)
		c.options.Departments = k
		c.restart()
		ask := func(assertion string, fields ...string) int {
			_, status, _ := c.tokenFor(assertion, append([]string{"grant_type", "client_credentials"}, fields...)...)
			return status
		}
		token, status, life := c.tokenFor(assert(t, k[civilAffairs], civilAffairs, nil), "grant_type", "client_credentials", "resource", "https://"+zhanqian)
		if status != http.StatusOK || life != 300 {
			t.Fatalf("answers %d, a token for %d s", status, life)
		}
		got, err := c.read(token, "https://"+zhanqian)
		must(t, err)
		if got.Subject != civilAffairs || got.ClientID != civilAffairs || !slices.Equal(got.Audience, []string{"https://" + zhanqian}) || got.ACR != "" || got.Phone != "" || got.Expires-got.Issued > 301 {
			t.Errorf("the token says %+v", got)
		}
		if p := c.browser().post("/userinfo", "access_token", token); p.status != http.StatusUnauthorized {
			t.Errorf("userinfo of a department answers %d", p.status)
		}
		once := assert(t, k[civilAffairs], civilAffairs, nil)
		if ask(once, "resource", "https://"+zhanqian) != http.StatusOK || ask(once, "resource", "https://"+zhanqian) == http.StatusOK {
			t.Error("an assertion is not good exactly once")
		}
		stranger := newKeys(t, civilAffairs)[civilAffairs]
		for name, assertion := range map[string]string{
			"another key":              assert(t, stranger, civilAffairs, nil),
			"a department not known":   assert(t, k[civilAffairs], "tax", nil),
			"somebody else as subject": assert(t, k[civilAffairs], civilAffairs, func(c *jwt.Claims) { c.Subject = "tax" }),
			"another audience":         assert(t, k[civilAffairs], civilAffairs, func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://" + zhanqian} }),
			"an expired one": assert(t, k[civilAffairs], civilAffairs, func(c *jwt.Claims) {
				c.IssuedAt, c.Expiry = jwt.NewNumericDate(time.Now().Add(-4*time.Minute)), jwt.NewNumericDate(time.Now().Add(-3*time.Minute))
			}),
			"one for a day": assert(t, k[civilAffairs], civilAffairs, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(24 * time.Hour)) }),
			"none":          "",
			"nonsense":      "x.y.z",
		} {
			if status := ask(assertion, "resource", "https://"+zhanqian, "client_id", ""); status < 400 || status >= 500 {
				t.Errorf("%s answers %d", name, status)
			}
		}
		for _, resource := range []string{"", "https://www.example.org", "https://zhanqian.example.com", "http://" + zhanqian, "https://" + zhanqian + "/booking", issuer} {
			if status := ask(assert(t, k[civilAffairs], civilAffairs, nil), "resource", resource); status != http.StatusBadRequest {
				t.Errorf("a token for %q answers %d", resource, status)
			}
		}
		if p := c.browser().post("/oauth/token", "grant_type", "client_credentials", "client_id", zhanqian, "resource", "https://"+zhanqian); p.status < 400 {
			t.Errorf("a community gets a department's token: %d", p.status)
		}
	})
}

// The exchange, whom a department's token was for, gets one for a community:
// in the department's name, saying that it acts, no longer than the first.
func TestTokenExchange(t *testing.T) {
	k := newKeys(t, civilAffairs, exchange, "tax", zhanqian)
	c := start(t, func(o *idp.Options) { o.Departments = k })
	swap := func(who, subject string, fields ...string) (string, int, int) {
		return c.tokenFor(assert(t, k[who], who, nil), append([]string{
			"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
			"subject_token", subject, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token",
		}, fields...)...)
	}
	subject, status, _ := c.tokenFor(assert(t, k[civilAffairs], civilAffairs, nil), "grant_type", "client_credentials", "resource", "https://"+exchange)
	if status != http.StatusOK {
		t.Fatalf("a token for the exchange answers %d", status)
	}
	c.clock.Step(2 * time.Minute)
	token, status, life := swap(exchange, subject, "audience", "https://"+zhanqian)
	if status != http.StatusOK || life > 181 {
		t.Fatalf("answers %d, a token for %d s where the first has 180 s left", status, life)
	}
	got, err := c.read(token, "https://"+zhanqian)
	must(t, err)
	if got.Subject != civilAffairs || got.ClientID != exchange || got.Act == nil || got.Act.Subject != exchange {
		t.Errorf("the token says %+v", got)
	}
	own, status, _ := swap(civilAffairs, subject, "resource", "https://"+guting)
	if status != http.StatusOK {
		t.Errorf("the department's own token answers %d", status)
	} else if got, err := c.read(own, "https://"+guting); err != nil || got.Act != nil {
		t.Errorf("the department's own token says %+v, %v", got, err)
	}
	_, _, resident := c.signIn(zhanqian, liQiang)
	for name, status := range map[string]int{
		"somebody else's":                 third(swap("tax", subject, "audience", "https://"+zhanqian)),
		"a resident's":                    third(swap(exchange, resident.AccessToken, "audience", "https://"+zhanqian)),
		"a resident's, by whom it is for": third(swap(zhanqian, resident.AccessToken, "audience", "https://"+guting)),
		"for two communities":             third(swap(exchange, subject, "audience", "https://"+zhanqian, "resource", "https://"+guting)),
		"for no community":                third(swap(exchange, subject)),
		"for a foreign one":               third(swap(exchange, subject, "audience", "https://zhanqian.example.com")),
		"with an actor's token":           third(swap(exchange, subject, "audience", "https://"+zhanqian, "actor_token", subject, "actor_token_type", "urn:ietf:params:oauth:token-type:access_token")),
		"for an ID token":                 third(swap(exchange, subject, "audience", "https://"+zhanqian, "requested_token_type", "urn:ietf:params:oauth:token-type:id_token")),
		"of nonsense":                     third(swap(exchange, "x.y.z", "audience", "https://"+zhanqian)),
		"for one of a community's":        third(swap(exchange, token, "audience", "https://"+guting)),
	} {
		if status < 400 || status >= 500 {
			t.Errorf("exchange %s answers %d", name, status)
		}
	}
	if p := c.browser().post("/oauth/token", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "client_id", zhanqian,
		"subject_token", resident.AccessToken, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", "https://"+guting); p.status < 400 {
		t.Errorf("a community exchanges a resident's token: %d", p.status)
	}
}

func third(_ string, status, _ int) int { return status }
