package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// The tags by which the operations are grouped in the document.
const (
	tagOwn    = "own"
	tagDesk   = "desk"
	tagLedger = "ledger"
)

const (
	apiPath     = "/" + Name + "/api/v1"
	openAPIPath = "/" + Name + "/api/openapi.json"
	// maxRequestBytes is far more than a request needs.
	maxRequestBytes = 16 << 10
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Linli accounts",
				Version: "v1",
				Description: "The purses of a community's residents. All amounts are integers in fen (CNY 0.01). Times are RFC 3339, dates YYYY-MM-DD, " +
					"months YYYY-MM, in the community's time zone. Errors are problem documents (RFC 9457).",
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The community from which this document is."}},
			Tags: []*huma.Tag{
				{Name: tagOwn, Description: "The caller's own purse, and those of whom the caller may order for."},
				{Name: tagDesk, Description: "The counter: for staff with the duty FrontDesk. Every call is recorded with who made it."},
				{Name: tagLedger, Description: "The ledger: for staff with the duty Manager."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer":  {Type: "http", Scheme: "bearer", Description: "A token for this community."},
					"session": {Type: "apiKey", In: "cookie", Name: "__Host-linli-session", Description: "The session of a browser; linli-session where pages are served without TLS."},
				},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	})
	o := operations{api}
	s.ownOperations(o)
	s.paymentOperations(o)
	s.deskOperations(o)
	s.ledgerOperations(o)

	// huma adds the schema of its own errors; ours is Problem.
	delete(api.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET "+openAPIPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		// An error here is a lost connection: there is nobody left to tell.
		_, _ = w.Write(document)
	})
	return nil
}

// Problem is an error of the API (RFC 9457).
type Problem struct {
	huma.ErrorModel
	Rule      string `json:"rule,omitempty" example:"insufficient" doc:"The name of the rule that refused the request. Names are stable."`
	Available *int64 `json:"available,omitempty" example:"850" doc:"What can be spent of the purse, in fen, if that is too little."`
}

// operations registers operations, with what they have in common.
type operations struct{ api huma.API }

// personal is an operation for people whom the community knows.
func (o operations) personal(op huma.Operation, errors ...int) huma.Operation {
	op.Path = apiPath + op.Path
	op.MaxBodyBytes = maxRequestBytes
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op.Middlewares = huma.Middlewares{noStore, requirePerson(o.api)}
	op.Responses = map[string]*huma.Response{}
	schema := o.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range append(errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// staff is an operation for staff who are charged with a duty.
func (o operations) staff(duty identity.Duty, op huma.Operation, errors ...int) huma.Operation {
	op = o.personal(op, errors...)
	op.Middlewares = append(op.Middlewares, requireDuty(o.api, duty))
	return op
}

// withBody are the errors of operations that read a body.
func withBody(errors ...int) []int {
	return append(errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
}

func newProblem(status int, rule Rule, detail string) *Problem {
	return &Problem{ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}, Rule: string(rule)}
}

// invalid is the error about a field, as the checks of inputs write theirs.
func invalid(location string, message string) error {
	return huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: message, Location: location})
}

// errNotYours means that the caller may not act for that person.
var errNotYours = errors.New("you may not order for this person")

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if known, ok := errors.AsType[huma.StatusError](err); ok {
		return known
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.metrics.refused.WithLabelValues(string(refusal.Rule)).Inc()
		p := newProblem(statusOf(refusal.Rule), refusal.Rule, refusal.Text)
		if refusal.Rule == RuleInsufficient {
			p.Available = &refusal.Available
		}
		return p
	}
	switch {
	case errors.Is(err, errNotYours):
		return newProblem(http.StatusForbidden, "", "You may not order for this person.")
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, "", "There is nothing here.")
	case errors.Is(err, errNotOnline):
		return newProblem(http.StatusNotFound, "not-online", "The community takes no payments online: top up at the front desk.")
	case errors.Is(err, errUnpayable):
		return newProblem(http.StatusServiceUnavailable, "provider", "The provider of payments does not answer: try again with the same Idempotency-Key in a minute.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return newProblem(http.StatusInternalServerError, "", failedText)
}

// noStore keeps personal answers out of caches.
func noStore(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	next(ctx)
}

// requirePerson answers 401 unless somebody is signed in, and 403 unless it is
// a person whom the community knows.
func requirePerson(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if _, ok := identity.FromContext(ctx.Context()); ok {
			next(ctx)
			return
		}
		status, detail := identity.Refusal(ctx.Context())
		if status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", "Bearer")
		}
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(api, ctx, status, detail)
	}
}

// requireDuty answers 403 unless who is signed in is charged with the duty.
func requireDuty(api huma.API, duty identity.Duty) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if p, ok := identity.FromContext(ctx.Context()); ok && p.Has(duty) {
			next(ctx)
			return
		}
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(api, ctx, http.StatusForbidden, fmt.Sprintf("This is for staff with the duty %s, who have signed in as staff do.", duty))
	}
}

// textOf is an ID that may be missing, in words.
func textOf(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// parseID reads the id of something; what is no id is nothing's.
func parseID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return uuid.Nil, ErrNotFound
	}
	return parsed, nil
}

// monthOf reads a month of a request; empty is this month.
func (s *service) monthOf(text string) (Month, error) {
	if text == "" {
		return MonthOf(civil.DateOf(s.clock.Now(), s.location())), nil
	}
	m, err := ParseMonth(text)
	if err != nil {
		return "", invalid("query.month", "write the month as YYYY-MM, within the years 2000 to 2999")
	}
	return m, nil
}

// dayOf reads a date of a request; empty is today.
func (s *service) dayOf(text string) (civil.Date, error) {
	if text == "" {
		return civil.DateOf(s.clock.Now(), s.location()), nil
	}
	d, err := ParseDate(text)
	if err != nil {
		return civil.Date{}, invalid("query.date", "write the date as YYYY-MM-DD, within the years 2000 to 2999")
	}
	return d, nil
}

// KeyInput carries the key under which something is done once.
type KeyInput struct {
	Key string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"100" doc:"The same request with the same key is done once, and answered the same again."`
}

// APITransaction is a transaction as people see it.
type APITransaction struct {
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Kind    Kind              `json:"kind" enum:"TopUp,Payout,Capture,Sale,Refund,Reversal"`
	Amount  int64             `json:"amount" doc:"What it did to the purse, in fen."`
	Balance *int64            `json:"balance,omitempty" doc:"What was in the purse after it, in fen."`
	Service string            `json:"service,omitempty" doc:"The service for which it was."`
	About   string            `json:"about,omitempty" doc:"The ID of the order there."`
	Memo    map[string]string `json:"memo,omitempty" doc:"What it was for, by language."`
	Receipt string            `json:"receipt,omitempty" example:"2026-000042" doc:"The number of the receipt, of what was done at the counter."`
	// Reverses and ReversedBy tie a mistake to what took it back.
	Reverses   string `json:"reverses,omitempty"`
	ReversedBy string `json:"reversedBy,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

func apiTransactionOf(t Transaction, amount int64, loc *time.Location) APITransaction {
	return APITransaction{
		ID: t.ID.String(), At: t.At.In(loc), Kind: t.Kind, Amount: amount, Service: t.Service, About: t.About, Memo: t.Memo,
		Receipt: t.Receipt.String(), Reverses: textOf(t.Reverses), ReversedBy: textOf(t.ReversedBy), Reason: t.Reason,
	}
}
