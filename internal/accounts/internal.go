package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// What other services of the community ask. Nobody else gets to it. Everything
// may be asked again and is answered the same.

const (
	internalPath = "/" + Name + "/internal/v1/"
	// maxInternalBytes is more than anything that is asked for needs.
	maxInternalBytes = 8 << 10
)

func (s *service) mountInternal(mux *host.Router) {
	handle := func(pattern string, f func(r *http.Request, service string) (any, error)) {
		mux.Handle(pattern, s.identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from, _ := identity.ServiceFromContext(r.Context())
			answer, err := f(r, from.Name)
			s.answerInternal(w, r, answer, err)
		})))
	}
	handle("PUT "+internalPath+"holds/{id}", s.putHold)
	handle("POST "+internalPath+"holds/{id}/capture", s.captureHold)
	handle("POST "+internalPath+"holds/{id}/release", s.releaseHold)
	handle("POST "+internalPath+"sales/{id}", s.putSale)
	handle("POST "+internalPath+"refunds/{id}", s.putRefund)
	handle("GET "+internalPath+"people/{person}", s.purseOfPerson)
	handle("GET "+internalPath+"totals", s.totals)
}

// internalProblem is why something was not done (RFC 9457).
type internalProblem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Rule   Rule   `json:"rule,omitempty"`
	// Available is what the purse has, for want of which it was not done.
	Available *int64 `json:"available,omitempty"`
	// State is the hold's that is not held any more.
	State HoldState `json:"state,omitempty"`
}

// answerInternal writes an answer, or why there is none.
func (s *service) answerInternal(w http.ResponseWriter, r *http.Request, answer any, err error) {
	status, contentType := http.StatusOK, "application/json"
	if err != nil {
		problem := s.internalProblemOf(r.Context(), err)
		answer, status, contentType = problem, problem.Status, "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *service) internalProblemOf(ctx context.Context, err error) internalProblem {
	p := internalProblem{Status: http.StatusInternalServerError, Detail: failedText}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.metrics.refused.WithLabelValues(string(refusal.Rule)).Inc()
		p.Status, p.Detail, p.Rule, p.State = statusOf(refusal.Rule), refusal.Text, refusal.Rule, refusal.State
		if refusal.Rule == RuleInsufficient {
			p.Available = &refusal.Available
		}
	} else if errors.Is(err, ErrNotFound) {
		p.Status, p.Detail = http.StatusNotFound, "There is nothing here."
	} else if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request of a service failed", "error", err.Error())
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// failedText is said of what is no fault of the caller's.
const failedText = "Something went wrong on our side. Nothing was changed that this request was not answered for; try again."

// statusOf is the status of a refusal: a conflict if it depends on what was
// done before, else what was asked for cannot be done.
func statusOf(rule Rule) int {
	switch rule {
	case RuleNotHeld, RuleSuperseded, RuleOtherPerson, RuleNoPurse, RuleReversed, RuleNotToday, RuleNotYours, RuleIrreversible, RulePurseFull:
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}

// read reads the body of a request.
func read(r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxInternalBytes)).Decode(into); err != nil {
		return refuse(RuleInvalid, "the body is not what this takes")
	}
	return nil
}

// internalHold is a hold as services see it. Captured and Subsidy are those of
// one that was captured.
type internalHold struct {
	ID       string    `json:"id"`
	Revision int64     `json:"revision"`
	Amount   int64     `json:"amount"`
	State    HoldState `json:"state"`
	Captured int64     `json:"captured,omitempty"`
	Subsidy  int64     `json:"subsidy,omitempty"`
	// Transaction is the one that took it, PostedOn its day.
	Transaction string `json:"transaction,omitempty"`
	PostedOn    string `json:"postedOn,omitempty"`
}

// dayText writes the day on which something was posted, in the community's
// zone; empty if nothing had to be.
func dayText(d civil.Date) string {
	if d == (civil.Date{}) {
		return ""
	}
	return d.String()
}

func internalHoldOf(h Hold, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return internalHold{
		ID: h.ID, Revision: h.Revision, Amount: h.Amount, State: h.State, Captured: h.Captured, Subsidy: h.Subsidy,
		Transaction: textOf(h.Transaction), PostedOn: dayText(h.PostedOn),
	}, nil
}

func (s *service) putHold(r *http.Request, service string) (any, error) {
	var in struct {
		Revision  int64     `json:"revision"`
		Person    string    `json:"person"`
		Amount    int64     `json:"amount"`
		ExpiresAt time.Time `json:"expiresAt"`
		About     string    `json:"about"`
		Memo      Memo      `json:"memo"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return internalHoldOf(s.store.Hold(r.Context(), s.act(r.Context()), HoldOrder{
		Service: service, ID: r.PathValue("id"), Revision: in.Revision, Person: in.Person, Amount: in.Amount, ExpiresAt: in.ExpiresAt, About: in.About, Memo: in.Memo,
	}))
}

func (s *service) captureHold(r *http.Request, service string) (any, error) {
	var in struct {
		Amount  int64 `json:"amount"`
		Subsidy int64 `json:"subsidy"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return internalHoldOf(s.store.Capture(r.Context(), s.act(r.Context()), service, r.PathValue("id"), in.Amount, in.Subsidy))
}

func (s *service) releaseHold(r *http.Request, service string) (any, error) {
	return internalHoldOf(s.store.Release(r.Context(), s.act(r.Context()), service, r.PathValue("id")))
}

func (s *service) putSale(r *http.Request, service string) (any, error) {
	var in struct {
		Amount  int64  `json:"amount"`
		Subsidy int64  `json:"subsidy"`
		Person  string `json:"person"`
		Actor   string `json:"actor"`
		About   string `json:"about"`
		Memo    Memo   `json:"memo"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	a := s.act(r.Context())
	if in.Actor != "" {
		a.Actor = in.Actor
	}
	id := r.PathValue("id")
	sold, err := s.store.Sell(r.Context(), a, SaleOrder{
		Service: service, ID: id, Amount: in.Amount, Subsidy: in.Subsidy, Person: in.Person, About: in.About, Memo: in.Memo,
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": id, "amount": sold.Amount, "subsidy": sold.Subsidy, "transaction": textOf(sold.Transaction), "postedOn": dayText(sold.PostedOn)}, nil
}

func (s *service) putRefund(r *http.Request, service string) (any, error) {
	var in struct {
		Of      string `json:"of"`
		Amount  int64  `json:"amount"`
		Subsidy int64  `json:"subsidy"`
		To      string `json:"to"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	back, err := s.store.Refund(r.Context(), s.act(r.Context()), RefundOrder{
		Service: service, ID: r.PathValue("id"), Of: in.Of, Amount: in.Amount, Subsidy: in.Subsidy, To: in.To,
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"id": back.ID, "of": back.Of, "amount": back.Amount, "subsidy": back.Subsidy, "to": back.To,
		"transaction": textOf(back.Transaction), "postedOn": dayText(back.PostedOn),
	}, nil
}

func (s *service) purseOfPerson(r *http.Request, _ string) (any, error) {
	p, err := s.store.Purse(r.Context(), r.PathValue("person"))
	if err != nil {
		return nil, err
	}
	return map[string]int64{"balance": p.Balance, "held": p.Held, "available": p.Available()}, nil
}

func (s *service) totals(r *http.Request, service string) (any, error) {
	from, err := ParseDate(r.URL.Query().Get("from"))
	to, badTo := ParseDate(r.URL.Query().Get("to"))
	if err != nil || badTo != nil {
		return nil, refuse(RuleInvalid, "from and to must be dates, written YYYY-MM-DD")
	}
	months, err := s.store.Totals(r.Context(), service, from, to)
	if err != nil {
		return nil, err
	}
	return map[string]any{"months": months}, nil
}
