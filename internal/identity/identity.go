// Package identity says who is calling, for whom else they may act, and who
// the people of the community are. A browser shows a session cookie, a
// script a bearer token; both are signed with a key that only this community's
// services have, and name this community as their audience, so that neither is
// worth anything in a neighbouring one.
package identity

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Role is what a person is to the community.
type Role string

// The roles.
const (
	Resident Role = "Resident"
	Staff    Role = "Staff"
)

// Duty is something that a member of staff is charged with.
type Duty string

// The duties.
const (
	FrontDesk Duty = "FrontDesk"
	Manager   Duty = "Manager"
)

// Person is somebody who is signed in to one community.
type Person struct {
	// ID is pairwise: the same person has another one in every community.
	ID string
	// Name is the name as it is written in Chinese; LatinName its transliteration.
	Name      string
	LatinName string
	// Phone is a number as the country's own phones dial it, digits only, or
	// in E.164 with its +; empty if none is known.
	Phone  string
	Role   Role
	Duties []Duty
	// BornOn is a civil date, YYYY-MM-DD.
	BornOn string
}

// Has reports whether the person is charged with the duty.
func (p Person) Has(d Duty) bool {
	return slices.Contains(p.Duties, d)
}

// How long a proof of identity is good for.
const (
	SessionLifetime = 12 * time.Hour
	TokenLifetime   = time.Hour
)

// SessionKeySize is the length of the session key, in bytes.
const SessionKeySize = 32

// Settings are what signing in depends on; they follow the configuration.
type Settings struct {
	// Community is the UID of the Community: the audience of its tokens.
	Community string
	// Subjects is what pairwise identifiers are derived from. It outlives the
	// Community: one that adopts the data of another keeps it.
	Subjects string
	Class    v1alpha1.CommunityClassSpec
}

// Loopback reports whether the community is reached by a name of this machine
// and without TLS, as it is in the embedded cluster.
func (s Settings) Loopback() bool {
	return s.Class.Gateway.Scheme == v1alpha1.SchemeHTTP && isLocalhost(s.Class.Domain)
}

// DemoAllowed reports whether made-up people may sign in with a click. The
// class's validation says the same; it is asked again here because being wrong
// about it would open every door.
func (s Settings) DemoAllowed() bool {
	return s.Class.Identity.Provider == v1alpha1.IdentityDemo && isLocalhost(s.Class.Domain)
}

func isLocalhost(domain string) bool {
	return domain == "localhost" || strings.HasSuffix(domain, ".localhost")
}

// Identity recognises people and signs them in and out.
type Identity struct {
	sessions, tokens key
	settings         func() Settings
	clock            clock.PassiveClock
}

// New returns an Identity. sessionKey is the community's secret of
// SessionKeySize bytes.
func New(sessionKey []byte, settings func() Settings, c clock.PassiveClock) (*Identity, error) {
	if len(sessionKey) != SessionKeySize {
		return nil, fmt.Errorf("the session key has %d bytes, want %d", len(sessionKey), SessionKeySize)
	}
	sessions, err := newKey(sessionKey, "linli session cookie v1")
	if err != nil {
		return nil, err
	}
	tokens, err := newKey(sessionKey, "linli bearer token v1")
	if err != nil {
		return nil, err
	}
	return &Identity{sessions: sessions, tokens: tokens, settings: settings, clock: c}, nil
}

type contextKey struct{}

// FromContext returns who makes the request of this context; false if nobody
// is signed in.
func FromContext(ctx context.Context) (Person, bool) {
	p, ok := ctx.Value(contextKey{}).(Person)
	return p, ok
}

// WithPerson returns a context in which p is signed in.
func WithPerson(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// ErrBadToken is returned by Authenticate for a bearer token that is not valid here.
var ErrBadToken = errors.New("the bearer token is malformed, expired, or of another community: get a new one")

// Authenticate returns who makes the request: of its bearer token if it has
// one, else of its session cookie. A bad token is ErrBadToken; a bad or
// expired cookie only means that nobody is signed in.
func (i *Identity) Authenticate(r *http.Request) (p Person, ok bool, err error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Person{}, false, ErrBadToken
		}
		p, ok := i.proven(i.tokens, strings.TrimSpace(token))
		if !ok {
			return Person{}, false, ErrBadToken
		}
		return p, true, nil
	}
	cookie, err := r.Cookie(i.cookieName())
	if err != nil {
		return Person{}, false, nil
	}
	p, ok = i.proven(i.sessions, cookie.Value)
	return p, ok, nil
}

// proven returns whom a signed proof names.
func (i *Identity) proven(k key, proof string) (Person, bool) {
	s := i.settings()
	if !s.DemoAllowed() {
		return Person{}, false
	}
	subject, ok := k.verify(proof, s.Community, i.clock.Now())
	if !ok {
		return Person{}, false
	}
	return demoAccount(s, subject)
}

// Token returns a bearer token for the person with that demo account.
func (i *Identity) Token(account string) (token string, expires time.Time, err error) {
	return i.prove(i.tokens, account, TokenLifetime)
}

// SignIn sets the session cookie of the person with that demo account.
func (i *Identity) SignIn(w http.ResponseWriter, account string) error {
	proof, _, err := i.prove(i.sessions, account, SessionLifetime)
	if err != nil {
		return err
	}
	http.SetCookie(w, i.cookie(proof, int(SessionLifetime/time.Second)))
	return nil
}

// SignOut removes the session cookie.
func (i *Identity) SignOut(w http.ResponseWriter) {
	http.SetCookie(w, i.cookie("", -1))
}

// Errors of SignIn and Token.
var (
	ErrDemoRefused = errors.New("this community does not let demo people sign in")
	ErrNoSuchDemo  = errors.New("there is no demo person of that name")
)

func (i *Identity) prove(k key, account string, lifetime time.Duration) (string, time.Time, error) {
	s := i.settings()
	if !s.DemoAllowed() {
		return "", time.Time{}, ErrDemoRefused
	}
	if _, ok := demoAccount(s, account); !ok {
		return "", time.Time{}, ErrNoSuchDemo
	}
	now := i.clock.Now()
	proof, err := k.sign(account, s.Community, now, now.Add(lifetime))
	return proof, now.Add(lifetime), err
}

func (i *Identity) cookieName() string {
	if i.settings().Loopback() {
		return "linli-session" // browsers take the prefix only with Secure
	}
	return "__Host-linli-session"
}

func (i *Identity) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     i.cookieName(),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   !i.settings().Loopback(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// key signs and verifies the proofs of one kind. Each kind has a key of its
// own, so that a cookie cannot be used as a token.
type key struct{ secret []byte }

func newKey(sessionKey []byte, purpose string) (key, error) {
	secret, err := hkdf.Key(sha256.New, sessionKey, nil, purpose, sha256.Size)
	return key{secret}, err
}

func (k key) sign(subject, audience string, issued, expires time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: k.secret},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Subject:  subject,
		Audience: jwt.Audience{audience},
		IssuedAt: jwt.NewNumericDate(issued),
		Expiry:   jwt.NewNumericDate(expires),
	}).Serialize()
}

func (k key) verify(proof, audience string, now time.Time) (subject string, ok bool) {
	token, err := jwt.ParseSigned(proof, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return "", false
	}
	var c jwt.Claims
	if err := token.Claims(k.secret, &c); err != nil {
		return "", false
	}
	if c.Expiry == nil || audience == "" {
		return "", false
	}
	expected := jwt.Expected{AnyAudience: jwt.Audience{audience}, Time: now}
	if err := c.ValidateWithLeeway(expected, 0); err != nil {
		return "", false
	}
	return c.Subject, true
}
