package idp

import (
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// What an acr claim says of how somebody signed in.
const (
	// ACRResident is by phone number and one-time code.
	ACRResident = "urn:linli:acr:resident"
	// ACRStaff is by number and code, and then by password and a code of an
	// authenticator app (TOTP).
	ACRStaff = "urn:linli:acr:staff"
)

// How long things are good for, and how often may be tried.
const (
	attemptLifetime    = 30 * time.Minute
	codeLifetime       = 5 * time.Minute
	grantLifetime      = time.Minute
	tokenLifetime      = 15 * time.Minute
	departmentLifetime = 5 * time.Minute
	// wrongLimit wrong codes end an attempt, not the account.
	wrongLimit = 10
)

// step is how far an attempt has come: what is asked for next.
type step string

const (
	stepNumber   step = "number"
	stepCode     step = "code"
	stepPassword step = "password" // staff who have one: it, and a code of the app
	stepEnrol    step = "enrol"    // staff who have none choose one
	stepApp      step = "app"      // and set up the app
	stepDone     step = "done"
	stepEnded    step = "ended" // after wrongLimit wrong codes
)

// attempt is one try to sign in: what a community asked for, and how far it has
// come. It belongs to the browser that has it, sealed, in its cookie.
type attempt struct {
	bun.BaseModel `bun:"table:attempts"`

	ID string `bun:",pk"`
	// Client is the host name of the community.
	Client      string
	RedirectURI string
	State       string
	Nonce       string
	Challenge   string // S256
	Scopes      string
	ACR         string
	Step        step
	// Phone is the number that was typed, sealed.
	Phone   string
	Account string
	// Code is what is kept of the code that was sent last; empty when it was used.
	Code      string
	CodeUntil int64
	Wrong     int
	// Password and TOTP are those of an enrolment that is not confirmed yet.
	Password string
	TOTP     string `bun:"totp"`
	// Granted is the digest of the authorization code; empty when it was redeemed.
	Granted      string
	GrantedUntil int64
	SignedInAt   int64
	CreatedAt    int64
}

// live says that the attempt can still be used.
func (a *attempt) live(now time.Time) bool {
	return now.Before(time.UnixMilli(a.CreatedAt).Add(attemptLifetime))
}

func (a *attempt) phonePlace() string { return "attempt " + a.ID + " phone" }
func (a *attempt) totpPlace() string  { return "attempt " + a.ID + " totp" }

// enter compares a code with the one that was sent, both as they are kept. A
// code is good once; a wrong one is counted.
func (a *attempt) enter(code string, now time.Time) outcome {
	switch {
	case a.Step != stepCode:
		return outcomeMoved
	case a.Code == "" || now.UnixMilli() >= a.CodeUntil:
		return outcomeExpired
	case code != a.Code: // both are HMACs: their comparison tells nothing
		return a.miss()
	}
	a.Code = ""
	return outcomeRight
}

// miss counts something wrong.
func (a *attempt) miss() outcome {
	a.Wrong++
	if a.Wrong >= wrongLimit {
		a.Step, a.Code = stepEnded, ""
		return outcomeEnded
	}
	return outcomeWrong
}

// outcome is what became of something that was typed.
type outcome int

const (
	outcomeRight outcome = iota
	outcomeWrong
	outcomeExpired
	outcomeEnded
	outcomeMoved // the attempt is at another step: the page was an old one
	outcomeWait  // too many wrong ones: not looked at
)

// wantedACR is the way to sign in that a request asks for: the first one of its
// acr_values that is known.
func wantedACR(values []string) string {
	for _, v := range values {
		if v == ACRResident || v == ACRStaff {
			return v
		}
	}
	return ACRResident
}

// authorization is an attempt that has come to its end, as the library wants
// to see it.
type authorization struct {
	*attempt
	phone, subject string
}

func (a authorization) GetID() string  { return a.ID }
func (a authorization) GetACR() string { return a.ACR }
func (a authorization) GetAMR() []string {
	if a.ACR == ACRStaff {
		return []string{"sms", "pwd", "otp"}
	}
	return []string{"sms"}
}
func (a authorization) GetAudience() []string  { return []string{a.Client} }
func (a authorization) GetAuthTime() time.Time { return time.UnixMilli(a.SignedInAt) }
func (a authorization) GetClientID() string    { return a.Client }
func (a authorization) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: a.Challenge, Method: oidc.CodeChallengeMethodS256}
}
func (a authorization) GetNonce() string                   { return a.Nonce }
func (a authorization) GetRedirectURI() string             { return a.RedirectURI }
func (a authorization) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }
func (a authorization) GetResponseMode() oidc.ResponseMode { return oidc.ResponseModeQuery }
func (a authorization) GetScopes() []string                { return strings.Fields(a.Scopes) }
func (a authorization) GetState() string                   { return a.State }
func (a authorization) GetSubject() string                 { return a.subject }
func (a authorization) Done() bool                         { return a.Step == stepDone }

// claims are those of the access token beside the library's own.
func (a authorization) claims() map[string]any {
	claims := map[string]any{"acr": a.ACR, "auth_time": a.SignedInAt / 1000}
	if slices.Contains(a.GetScopes(), oidc.ScopePhone) {
		claims["phone_number"] = e164(a.phone)
		claims["phone_number_verified"] = true
	}
	return claims
}

// access is the authorization as the access token has it: for the address of
// the community, where the ID token is for its client id.
type access struct {
	authorization
	address string
}

func (a access) GetAudience() []string { return []string{a.address} }
