package identity

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"
)

const (
	// SignInPath is where people sign in, CallbackPath where the issuer sends
	// them back to.
	SignInPath   = "/identity/sign-in"
	CallbackPath = "/identity/callback"

	providerTimeout = 10 * time.Second
	// signInTime is how long somebody may take to sign in.
	signInTime = 15 * time.Minute
)

// provider is the issuer as its discovery document describes it.
type provider struct {
	issuer string
	*oidc.Provider
	endSession string
}

// issuer asks the issuer for its discovery document, once.
func (i *Identity) issuer(ctx context.Context) (*provider, error) {
	issuer := i.settings().Class.Identity.Issuer
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider != nil && i.provider.issuer == issuer {
		return i.provider, nil
	}
	// The keys are fetched again when a token names one that is not known;
	// made-up tokens must not make the issuer work.
	client := &http.Client{Timeout: providerTimeout, Transport: limited{i.client.Transport, rate.NewLimiter(1, 10)}}
	discovered, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", issuer, err)
	}
	p := &provider{issuer: issuer, Provider: discovered}
	var claims struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := discovered.Claims(&claims); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", issuer, err)
	}
	p.endSession = claims.EndSession
	i.provider = p
	return p, nil
}

// limited limits how often something is asked for.
type limited struct {
	http.RoundTripper
	limiter *rate.Limiter
}

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if !l.limiter.Allow() {
		return nil, errors.New("the issuer was asked too often")
	}
	return l.RoundTripper.RoundTrip(r)
}

// proven is what an issuer's token says.
type proven struct {
	Phone         string `json:"phone_number"`
	PhoneVerified bool   `json:"phone_number_verified"`
	ACR           string `json:"acr"`
	Nonce         string `json:"nonce"`
	// Client and Party are which client a token was issued to, Actor who acts
	// in the subject's name.
	Client string          `json:"client_id"`
	Party  string          `json:"azp"`
	Actor  json.RawMessage `json:"act"`
}

// ofPerson reports whether an access token of a subject is about a person: it
// was issued to the community's own client, by which people sign in, and
// neither is the client itself the subject nor does anybody act for it. Tokens
// of departments and other programs are issued to clients of their own. The
// client is in client_id (RFC 9068, section 2.2), or with providers that are
// older than that in azp.
func (c proven) ofPerson(subject, community string) bool {
	return cmp.Or(c.Client, c.Party) == community && subject != community && len(c.Actor) == 0
}

// proofOf is what a verified token proves.
func (i *Identity) proofOf(t *oidc.IDToken) (Proof, proven, error) {
	var c proven
	if err := t.Claims(&c); err != nil {
		return Proof{}, c, err
	}
	p := Proof{Subject: SubjectOf(t.Issuer, t.Subject), Staff: c.ACR != "" && c.ACR == i.settings().Class.Identity.StaffContext()}
	if c.PhoneVerified {
		p.Phone = c.Phone
	}
	return p, c, nil
}

// proofOfToken is what a bearer token proves, and whether of a person. Its audience is the community's
// address; that of a token about signing in is the community's name at the
// issuer, so that one cannot be used for the other.
func (i *Identity) proofOfToken(ctx context.Context, token string) (proof Proof, person bool, err error) {
	p, err := i.issuer(ctx)
	if err != nil {
		return Proof{}, false, errors.Join(ErrUnavailable, err)
	}
	s := i.settings()
	verified, err := p.Verifier(&oidc.Config{ClientID: s.Site(), Now: i.clock.Now}).Verify(ctx, token)
	if err != nil {
		return Proof{}, false, ErrBadToken
	}
	proof, claims, err := i.proofOf(verified)
	if err != nil {
		return Proof{}, false, ErrBadToken
	}
	return proof, claims.ofPerson(verified.Subject, s.ClientID()), nil
}

// attempt is a sign-in under way, as the browser keeps it.
type attempt struct {
	State, Nonce, Verifier string
	Return                 string
	Staff                  bool
	Until                  time.Time
}

func (i *Identity) oauth(p *provider) *oauth2.Config {
	s := i.settings()
	return &oauth2.Config{
		ClientID: s.ClientID(), Endpoint: p.Endpoint(), RedirectURL: s.Site() + CallbackPath,
		Scopes: []string{oidc.ScopeOpenID, "phone"},
	}
}

// BeginSignIn sends a browser to the issuer by the authorization code flow
// with PKCE (RFC 7636), and from there to a path of this community. It returns
// an error if the issuer cannot be reached.
func (i *Identity) BeginSignIn(w http.ResponseWriter, r *http.Request, back string, staff bool) error {
	p, err := i.issuer(r.Context())
	if err != nil {
		return err
	}
	a := attempt{
		State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		Return: back, Staff: staff, Until: i.clock.Now().Add(signInTime),
	}
	sealed, err := i.keys().seal(purposeSignIn, a)
	if err != nil {
		return err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if staff {
		options = append(options, oauth2.SetAuthURLParam("acr_values", i.settings().Class.Identity.StaffContext()))
	}
	http.SetCookie(w, i.cookie(signInCookie, sealed, signInTime))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, i.oauth(p).AuthCodeURL(a.State, options...), http.StatusSeeOther)
	return nil
}

// ErrSignIn is returned by EndSignIn for a sign-in that this browser did not
// begin, that took too long, that the person gave up, or that does not prove
// what was asked for.
var ErrSignIn = errors.New("this sign-in cannot be finished: begin again")

// EndSignIn takes a browser back from the issuer, begins a session and returns
// where the browser goes on.
func (i *Identity) EndSignIn(w http.ResponseWriter, r *http.Request) (back string, err error) {
	http.SetCookie(w, i.cookie(signInCookie, "", -1))
	cookie, err := r.Cookie(i.cookieName(signInCookie))
	if err != nil {
		return "", ErrSignIn
	}
	var a attempt
	if err := i.keys().open(purposeSignIn, cookie.Value, &a); err != nil {
		return "", ErrSignIn
	}
	query := r.URL.Query()
	if expired(a.Until, i.clock.Now()) || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(a.State)) != 1 || query.Get("code") == "" {
		return "", ErrSignIn
	}
	proof, err := i.exchange(r.Context(), query.Get("code"), a)
	if err != nil {
		return "", err
	}
	persons, err := i.people.SignIn(r.Context(), proof.Subject, proof.Phone)
	if err != nil {
		return "", errors.Join(ErrUnavailable, err)
	}
	var person string
	if len(persons) == 1 {
		person = persons[0].ID
	}
	if err := i.begin(w, r, proof, person); err != nil {
		return "", errors.Join(ErrUnavailable, err)
	}
	return a.Return, nil
}

// exchange redeems a code for what it proves.
func (i *Identity) exchange(ctx context.Context, code string, a attempt) (Proof, error) {
	p, err := i.issuer(ctx)
	if err != nil {
		return Proof{}, errors.Join(ErrUnavailable, err)
	}
	tokens, err := i.oauth(p).Exchange(oidc.ClientContext(ctx, i.client), code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		if _, refused := errors.AsType[*oauth2.RetrieveError](err); refused {
			return Proof{}, ErrSignIn
		}
		return Proof{}, errors.Join(ErrUnavailable, err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return Proof{}, ErrSignIn
	}
	verified, err := p.Verifier(&oidc.Config{ClientID: i.settings().ClientID(), Now: i.clock.Now}).Verify(ctx, raw)
	if err != nil {
		return Proof{}, errors.Join(ErrSignIn, err)
	}
	proof, claims, err := i.proofOf(verified)
	if err != nil || subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(a.Nonce)) != 1 || a.Staff && !proof.Staff {
		return Proof{}, ErrSignIn
	}
	return proof, nil
}

// AfterSignOut is where a browser goes after signing out: to the issuer, which
// ends what it keeps of the person (OpenID Connect RP-Initiated Logout 1.0)
// and sends the browser back to the front page, or there at once.
func (i *Identity) AfterSignOut(ctx context.Context) string {
	p, err := i.issuer(ctx)
	if err != nil || p.endSession == "" {
		return "/"
	}
	s := i.settings()
	return p.endSession + "?" + url.Values{
		"client_id": {s.ClientID()}, "post_logout_redirect_uri": {s.Site() + "/"},
	}.Encode()
}

// FormTargets are the origins to which the browser may be led by a form of
// this community's pages, beside their own.
func (i *Identity) FormTargets() string {
	u, err := url.Parse(i.settings().Class.Identity.Issuer)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
