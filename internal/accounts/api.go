package accounts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
)

// The tags by which the operations are grouped in the document.
const (
	tagOwn    = "own"
	tagDesk   = "desk"
	tagLedger = "ledger"
)

const apiPath = "/" + Name + "/api/v1"

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := host.NewAPI(mux, Name, &Problem{}, "Linli accounts",
		"The purses of a community's residents. All amounts are integers in fen (CNY 0.01). Times are RFC 3339, dates YYYY-MM-DD, "+
			"months YYYY-MM, in the community's time zone. Errors are problem documents (RFC 9457).",
		&huma.Tag{Name: tagOwn, Description: "The caller's own purse, and those of whom the caller may order for."},
		&huma.Tag{Name: tagDesk, Description: "The counter: for staff with the duty FrontDesk. Every call is recorded with who made it."},
		&huma.Tag{Name: tagLedger, Description: "The ledger: for staff with the duty Manager."},
	)
	s.ownOperations(api)
	s.paymentOperations(api)
	s.deskOperations(api)
	s.ledgerOperations(api)
	return api.Publish()
}

// Problem is an error of the API (RFC 9457).
type Problem struct {
	host.Problem
	Available *int64 `json:"available,omitempty" example:"850" doc:"What can be spent of the purse, in fen, if that is too little."`
}

func newProblem(status int, rule Rule, detail string) *Problem {
	return &Problem{Problem: *host.NewProblem(status, string(rule), detail)}
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
func (s *service) monthOf(text string) (civil.Month, error) {
	if text == "" {
		return civil.MonthOf(civil.DateOf(s.clock.Now(), s.location())), nil
	}
	m, err := parseMonth(text)
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
