// Package identitytest has an issuer and people to test with.
package identitytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// Issuer is an OpenID provider at which everybody is who they say they are:
// the parameter "account" of its authorization endpoint names who signs in.
// The subject is the account's name.
type Issuer struct {
	// URL is the issuer's identifier.
	URL string
	// Close ends it.
	Close func()

	now      func() time.Time
	mu       sync.Mutex
	key      crypto.Signer
	kid      string
	keycloak bool // see LikeKeycloak
	// Claims, if set, changes what a token says before it is signed.
	Claims func(claims map[string]any)
	codes  map[string]url.Values
}

// firstKey is made once for all tests of a package: making one takes long.
var firstKey = sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// NewIssuer runs an issuer until the test ends.
func NewIssuer(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	i := Run(now)
	t.Cleanup(i.Close)
	return i
}

// Run runs an issuer until it is closed.
func Run(now func() time.Time) *Issuer {
	i := &Issuer{now: now, key: firstKey(), kid: "first", codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	server := httptest.NewServer(mux)
	i.URL, i.Close = server.URL, server.Close
	return i
}

// Rotate has the issuer sign with a new key, and forget the one before.
func (i *Issuer) Rotate() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kid = "next-" + i.kid
	if i.keycloak {
		i.key = newEllipticKey()
	} else {
		i.key = newKey()
	}
}

// KeycloakStaffACR is what an issuer like Keycloak calls the way of the staff:
// the number of the level, which it does without a mapping of names.
const KeycloakStaffACR = "2"

// LikeKeycloak has the issuer differ from Linli's own as Keycloak does: a
// token's client is in azp; an access token is for its own console as well;
// levels of authentication are numbers; keys are of elliptic curves, and stand
// beside one that is for encryption. It is called before anybody signs in.
func (i *Issuer) LikeKeycloak() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.kid, i.keycloak = newEllipticKey(), "elliptic", true
}

func newEllipticKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// Token is a bearer token of an account for the community at an address. Staff
// have proven who they are in the way that staff must.
func (i *Issuer) Token(t testing.TB, account, site string) string {
	t.Helper()
	m, _ := MemberOf(account)
	token, err := i.TokenFor(account, m.Phone, site, m.Role == identity.Staff)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TokenFor is a bearer token of anybody with a number, for the community at an
// address.
func (i *Issuer) TokenFor(account, phone, site string, staff bool) (string, error) {
	claims := i.claims(account, site, staff)
	claims["phone_number"], claims["phone_number_verified"] = phone, phone != ""
	claims["client_id"] = ClientOf(site)
	if i.keycloak {
		delete(claims, "client_id")
		claims["azp"], claims["typ"] = ClientOf(site), "Bearer"
		claims["aud"] = []string{site, "account"}
	}
	return i.sign(claims)
}

// ClientOf is what the community at an address is called at the issuer.
func ClientOf(site string) string {
	u, err := url.Parse(site)
	if err != nil {
		panic(err) // tests name addresses of communities
	}
	return u.Hostname()
}

// Sign signs any claims.
func (i *Issuer) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	token, err := i.sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TokenLifetime is how long the issuer's tokens are good for.
const TokenLifetime = time.Hour

func (i *Issuer) claims(account, audience string, staff bool) map[string]any {
	m, _ := MemberOf(account)
	now := i.now()
	claims := map[string]any{
		"iss": i.URL, "sub": account, "aud": audience, "iat": now.Unix(), "exp": now.Add(TokenLifetime).Unix(),
		"phone_number": m.Phone, "phone_number_verified": m.Phone != "",
	}
	claims["acr"] = i.acr(staff)
	return claims
}

func (i *Issuer) acr(staff bool) string {
	switch {
	case i.keycloak && staff:
		return KeycloakStaffACR
	case i.keycloak:
		return "1"
	case staff:
		return v1alpha1.DefaultStaffACR
	}
	return "urn:linli:acr:resident"
}

func (i *Issuer) sign(claims map[string]any) (string, error) {
	i.mu.Lock()
	key, kid, change := i.key, i.kid, i.Claims
	i.mu.Unlock()
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: i.algorithm(), Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": i.algorithms(),
	})
}

func (i *Issuer) algorithm() jose.SignatureAlgorithm {
	if i.keycloak {
		return jose.ES256
	}
	return jose.RS256
}

func (i *Issuer) algorithms() []string {
	if i.keycloak {
		return []string{"PS384", "RS384", "EdDSA", "ES384", "HS256", "HS512", "ES256", "RS256", "HS384", "ES512", "PS256", "PS512", "RS512"}
	}
	return []string{string(i.algorithm())}
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.kid, Algorithm: string(i.algorithm()), Use: "sig"}}}
	if i.keycloak {
		encryption := jose.JSONWebKey{Key: firstKey().Public(), KeyID: "encryption", Algorithm: string(jose.RSA_OAEP), Use: "enc"}
		set.Keys = append([]jose.JSONWebKey{encryption}, set.Keys...)
	}
	answer(w, http.StatusOK, set)
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	code := rand.Text()
	i.mu.Lock()
	i.codes[code] = query
	i.mu.Unlock()
	back := query.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(w, r, back, http.StatusSeeOther)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	asked, ok := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	i.mu.Unlock()
	if !ok || oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	account := asked.Get("account")
	staff := slices.Contains(strings.Fields(asked.Get("acr_values")), i.acr(true))
	claims := i.claims(account, asked.Get("client_id"), staff)
	if i.keycloak {
		claims["azp"], claims["typ"] = asked.Get("client_id"), "ID"
	}
	claims["nonce"] = asked.Get("nonce")
	id, err := i.sign(claims)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "not used", "token_type": "Bearer", "id_token": id})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error here is a lost connection
}
