package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	// ID names the session; it is the hash of the secret in the cookie, from
	// which nobody finds the secret.
	ID             string
	Subject, Phone string
	// Person is who of those that share the account it is; empty if that was
	// not chosen.
	Person string
	Staff  bool
	// CreatedAt, SeenAt and ExpiresAt are in seconds.
	CreatedAt, SeenAt, ExpiresAt time.Time
}

// Sessions keeps sessions.
type Sessions interface {
	Create(ctx context.Context, s Session) error
	// Find returns the session of that ID that has not expired by now.
	Find(ctx context.Context, id string, now time.Time) (Session, bool, error)
	// Touch notes that a session was seen, and Choose who of those that share
	// the account it is.
	Touch(ctx context.Context, id string, now time.Time) error
	Choose(ctx context.Context, id, person string) error
	// Of are the sessions of a subject that have not expired by now, the
	// latest first.
	Of(ctx context.Context, subject string, now time.Time) ([]Session, error)
	// End ends a session, EndAll all of a subject.
	End(ctx context.Context, id string) error
	EndAll(ctx context.Context, subject string) error
}

const (
	sessionCookie = "linli-session"
	signInCookie  = "linli-sign-in"
	// touchEvery is how exactly it is kept when a session was last seen.
	touchEvery = 10 * time.Minute
)

// session returns the session of a cookie's secret.
func (i *Identity) session(ctx context.Context, secret string) (Session, bool, error) {
	now := i.clock.Now()
	s, ok, err := i.sessions.Find(ctx, sessionID(secret), now)
	if err != nil || !ok {
		return s, false, err
	}
	if now.Sub(s.SeenAt) >= touchEvery {
		err = i.sessions.Touch(ctx, s.ID, now)
	}
	return s, true, err
}

func sessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// begin makes a session of a proof and gives it to the browser; one that the
// browser had before ends.
func (i *Identity) begin(w http.ResponseWriter, r *http.Request, proof Proof, person string) error {
	if err := i.end(r); err != nil {
		return err
	}
	random := make([]byte, 32)
	rand.Read(random) // never fails, see its documentation
	secret := base64.RawURLEncoding.EncodeToString(random)
	now := i.clock.Now()
	lifetime := ResidentSession
	if proof.Staff {
		lifetime = StaffSession
	}
	err := i.sessions.Create(r.Context(), Session{
		ID: sessionID(secret), Subject: proof.Subject, Phone: proof.Phone, Person: person, Staff: proof.Staff,
		CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(lifetime),
	})
	if err != nil {
		return err
	}
	http.SetCookie(w, i.cookie(sessionCookie, secret, lifetime))
	return nil
}

// end ends the session of a request, if it has one.
func (i *Identity) end(r *http.Request) error {
	cookie, err := r.Cookie(i.cookieName(sessionCookie))
	if err != nil {
		return nil //nolint:nilerr // the only error is that there is none
	}
	return i.sessions.End(r.Context(), sessionID(cookie.Value))
}

// SignOut ends the session of a request, and takes its cookie back.
func (i *Identity) SignOut(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, i.cookie(sessionCookie, "", -1))
	return i.end(r)
}

// SignOutEverywhere ends all sessions of a subject. Tokens that the issuer has
// given out are good until they expire, a few minutes later.
func (i *Identity) SignOutEverywhere(ctx context.Context, subject string) error {
	return i.sessions.EndAll(ctx, subject)
}

// SessionsOf are the sessions of a subject, the latest first.
func (i *Identity) SessionsOf(ctx context.Context, subject string) ([]Session, error) {
	return i.sessions.Of(ctx, subject, i.clock.Now())
}

// ErrNotACandidate is returned by Choose for a person that the caller is not.
var ErrNotACandidate = errors.New("this account is not that person's")

// Choose notes which of the people who share an account is sitting at this
// browser.
func (i *Identity) Choose(ctx context.Context, person string) error {
	proof, ok := ProofFromContext(ctx)
	if !ok || proof.Session == "" || !slices.ContainsFunc(proof.Candidates, func(p Person) bool { return p.ID == person }) {
		return ErrNotACandidate
	}
	return i.sessions.Choose(ctx, proof.Session, person)
}

// cookieName is a cookie's full name: browsers keep one with the prefix to
// this host and to TLS, and take it only so.
func (i *Identity) cookieName(name string) string {
	if i.settings().Loopback() {
		return name
	}
	return "__Host-" + name
}

// cookie makes a cookie; a negative lifetime takes it back.
func (i *Identity) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	maxAge := int(lifetime / time.Second)
	if lifetime < 0 {
		maxAge = -1
	}
	return &http.Cookie{
		Name:     i.cookieName(name),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   !i.settings().Loopback(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}
