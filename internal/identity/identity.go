// Package identity says who is calling and for whom else they may act. Who
// somebody is, the issuer of the community's class proves by OpenID Connect;
// who that is in this community, and what they are charged with, the service
// of residents knows. A browser keeps a session, which the community can end
// at any time; a program sends a bearer token of the issuer.
package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

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
	FrontDesk      Duty = "FrontDesk"
	Kitchen        Duty = "Kitchen"
	Property       Duty = "Property"
	GridWorker     Duty = "GridWorker"
	Manager        Duty = "Manager"
	DataProtection Duty = "DataProtection"
)

// Duties are all duties, in the order in which they are offered.
var Duties = []Duty{FrontDesk, Kitchen, Property, GridWorker, Manager, DataProtection}

// Person is somebody whom the community knows.
type Person struct {
	// ID is of this community's records; the same person has another one in
	// every community.
	ID string `json:"id"`
	// Name is the name as it is written in Chinese; LatinName its transliteration.
	Name      string `json:"name"`
	LatinName string `json:"latinName,omitempty"`
	// Phone is a number as the country's own phones dial it, digits only, or
	// in E.164 with its +; empty if none is known.
	Phone  string `json:"phone,omitempty"`
	Role   Role   `json:"role"`
	Duties []Duty `json:"duties,omitempty"`
	// BornOn is a civil date, YYYY-MM-DD; empty if it is not known.
	BornOn string `json:"bornOn,omitempty"`
}

// Has reports whether the person is charged with the duty.
func (p Person) Has(d Duty) bool { return slices.Contains(p.Duties, d) }

// Scope is what somebody may do for another.
type Scope string

// The scopes. There is none for deleting, downloading or consenting: nobody
// does that for somebody else.
const (
	Book  Scope = "Book"
	Order Scope = "Order"
)

// Scopes are all scopes.
var Scopes = []Scope{Book, Order}

// Known is a person and those for whom the person may act beside themselves: a
// parent, a child.
type Known struct {
	Person    Person        `json:"person"`
	Household []Represented `json:"household,omitempty"`
}

// Represented is somebody for whom another may act.
type Represented struct {
	Person Person  `json:"person"`
	Scopes []Scope `json:"scopes"`
}

// For returns those for whom the person may act in one of the scopes.
func (k Known) For(scopes ...Scope) []Person {
	var persons []Person
	for _, other := range k.Household {
		if slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(other.Scopes, s) }) {
			persons = append(persons, other.Person)
		}
	}
	return persons
}

// Proof is what a request shows of who is calling. Whoever has proven who they
// are need not be known to the community.
type Proof struct {
	// Subject is whom the issuer names, as this community keeps it.
	Subject string
	// Phone is a number that the issuer has verified; empty if it says none.
	Phone string
	// Staff says that it was proven in the way that staff must.
	Staff bool
	// Session is the browser's session; empty for a token.
	Session string
	// Candidates are the people whom the subject may be: none if the community
	// knows nobody of it, several if they share an account.
	Candidates []Person
	// Withheld are duties that the person has but cannot exercise, because it
	// was not proven in the way that staff must.
	Withheld []Duty
}

// Service is another service of the same community that is calling.
type Service struct {
	Name string
	// Actor is the ID of the person on whose behalf it calls; empty if it
	// calls by itself.
	Actor string
}

type (
	knownKey   struct{}
	proofKey   struct{}
	programKey struct{}
	serviceKey struct{}
)

// FromContext returns who makes the request of this context; false if nobody
// is signed in whom the community knows.
func FromContext(ctx context.Context) (Person, bool) {
	k, ok := ctx.Value(knownKey{}).(Known)
	return k.Person, ok
}

// HouseholdFromContext returns for whom the caller may act in one of the
// scopes, besides themselves.
func HouseholdFromContext(ctx context.Context, scopes ...Scope) []Person {
	k, _ := ctx.Value(knownKey{}).(Known)
	return k.For(scopes...)
}

// ProofFromContext returns what is proven of the caller; false if nobody is
// signed in.
func ProofFromContext(ctx context.Context) (Proof, bool) {
	p, ok := ctx.Value(proofKey{}).(Proof)
	return p, ok
}

// ServiceFromContext returns which service of this community is calling; false
// if the request came from outside.
func ServiceFromContext(ctx context.Context) (Service, bool) {
	s, ok := ctx.Value(serviceKey{}).(Service)
	return s, ok
}

// WithKnown returns a context in which somebody is signed in.
func WithKnown(ctx context.Context, k Known) context.Context {
	return context.WithValue(ctx, knownKey{}, k)
}

// WithService returns a context in which a service is calling, and nobody else.
func WithService(ctx context.Context, s Service) context.Context {
	ctx = context.WithValue(ctx, knownKey{}, nil)
	ctx = context.WithValue(ctx, proofKey{}, nil)
	return context.WithValue(ctx, serviceKey{}, s)
}

// isProgram reports whether the token of the request is not about a person.
func isProgram(ctx context.Context) bool { return ctx.Value(programKey{}) != nil }

// Settings are what signing in depends on; they follow the configuration.
type Settings struct {
	// Community is the name of the Community.
	Community string
	Class     v1alpha1.CommunityClassSpec
}

// Loopback reports whether the community is reached by a name of this machine
// and without TLS, as it is in the embedded cluster.
func (s Settings) Loopback() bool {
	return s.Class.Gateway.Scheme == v1alpha1.SchemeHTTP && isLocalhost(s.Class.Domain)
}

// ClientID is what the community is called at the issuer: its host name.
func (s Settings) ClientID() string { return s.Class.Host(s.Community) }

// Site is where the community is reached, and the audience of its tokens.
func (s Settings) Site() string { return s.Class.URL(s.Community) }

func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// Options are what an Identity is made of.
type Options struct {
	// Keys are the community's secrets; they may change.
	Keys     func() Keys
	Settings func() Settings
	Sessions Sessions
	People   *Directory
	Clock    clock.PassiveClock
}

// Identity recognises people and signs them in and out.
type Identity struct {
	keys     func() Keys
	settings func() Settings
	sessions Sessions
	people   *Directory
	clock    clock.PassiveClock
	client   *http.Client

	mu       sync.Mutex
	provider *provider
}

// New returns an Identity.
func New(o Options) *Identity {
	return &Identity{
		keys: o.Keys, settings: o.Settings, sessions: o.Sessions, people: o.People, clock: o.Clock,
		client: &http.Client{Transport: LoopbackTransport(), Timeout: providerTimeout},
	}
}

// PersonHeader is the header in which a request with a bearer token says, by
// the person's ID, which of the people who share the account makes it.
const PersonHeader = "Linli-Person"

// Errors of Authenticate, beside ErrNotACandidate.
var (
	ErrBadToken = errors.New("the bearer token is malformed, expired, or of another community: get a new one")
	// ErrUnavailable means that it could not be found out who is calling.
	ErrUnavailable = errors.New("it cannot be checked at the moment who is calling: try again in a few seconds")
)

// Authenticate returns the request's context with who makes it: of its bearer
// token if it has one, else of the session of its cookie. It returns
// ErrBadToken, ErrUnavailable, or ErrNotACandidate for a PersonHeader that names
// somebody else; a cookie of no session only means that nobody is signed in. A
// token that is not about a person, such as a department's, makes nobody of the
// caller.
func (i *Identity) Authenticate(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ctx, ErrBadToken
		}
		proof, person, err := i.proofOfToken(ctx, strings.TrimSpace(token))
		if err != nil {
			return ctx, err
		}
		if !person {
			return context.WithValue(ctx, programKey{}, true), nil
		}
		return i.recogniseAs(ctx, proof, r.Header.Get(PersonHeader))
	}
	cookie, err := r.Cookie(i.cookieName(sessionCookie))
	if err != nil {
		return ctx, nil
	}
	s, ok, err := i.session(ctx, cookie.Value)
	if err != nil {
		return ctx, errors.Join(ErrUnavailable, err)
	}
	if !ok {
		return ctx, nil
	}
	return i.recognise(ctx, Proof{Subject: s.Subject, Phone: s.Phone, Staff: s.Staff, Session: s.ID}, s.Person)
}

// recogniseAs is recognise for who says which person they are; empty means that
// they do not.
func (i *Identity) recogniseAs(ctx context.Context, proof Proof, person string) (context.Context, error) {
	ctx, err := i.recognise(ctx, proof, person)
	if err != nil || person == "" {
		return ctx, err
	}
	if p, ok := FromContext(ctx); !ok || p.ID != person {
		return ctx, ErrNotACandidate
	}
	return ctx, nil
}

// recognise finds out who a subject is here: the chosen person, or the only
// one there is.
func (i *Identity) recognise(ctx context.Context, proof Proof, chosen string) (context.Context, error) {
	candidates, err := i.people.BySubject(ctx, proof.Subject)
	if err != nil {
		return ctx, errors.Join(ErrUnavailable, err)
	}
	at := -1
	for n, c := range candidates {
		proof.Candidates = append(proof.Candidates, c.Person)
		if c.Person.ID == chosen || len(candidates) == 1 {
			at = n
		}
	}
	if at >= 0 {
		known := candidates[at]
		if !proof.Staff && len(known.Person.Duties) > 0 {
			proof.Withheld = known.Person.Duties
			known.Person.Duties, known.Person.Role = nil, Resident
		}
		ctx = WithKnown(ctx, known)
	}
	return context.WithValue(ctx, proofKey{}, proof), nil
}

// SubjectOf is what the community keeps of whom an issuer names. It is a hash:
// the name itself is of no use here.
func SubjectOf(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return hex.EncodeToString(sum[:16])
}

// How long somebody stays signed in without signing in again. Staff see what
// is other people's, on computers that others use too.
const (
	ResidentSession = 30 * 24 * time.Hour
	StaffSession    = 12 * time.Hour
)
