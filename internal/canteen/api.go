package canteen

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// The tags by which the operations are grouped in the document.
const (
	tagMenus    = "menus"
	tagOrders   = "orders"
	tagStanding = "standing-orders"
	tagDishes   = "dishes"
	tagKitchen  = "kitchen"
	tagCounty   = "subsidies"
	tagSafety   = "safety"
	// tagFeedback is what residents say about dishes, and would like.
	tagFeedback = "feedback"
)

// Who works in a canteen, who takes orders for others, and who answers for the
// money.
var (
	kitchen  = []identity.Duty{identity.Kitchen}
	counter  = []identity.Duty{identity.Kitchen, identity.FrontDesk}
	managers = []identity.Duty{identity.Manager}
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(rt *host.Runtime) error {
	api := host.NewAPI(rt.Mux, Name, &host.Problem{}, "Linli canteen",
		"Menus and orders of a community's canteens. Money is in fen, dates are days in the community's time zone, "+
			"times are RFC 3339. Errors are problem documents (RFC 9457).",
		&huma.Tag{Name: tagMenus, Description: "What is cooked. For everybody."},
		&huma.Tag{Name: tagOrders, Description: "The orders of the caller and of those for whom the caller may order."},
		&huma.Tag{Name: tagStanding, Description: "Meals that are ordered by themselves, of the caller and of those for whom the caller may order."},
		&huma.Tag{Name: tagDishes, Description: "Dishes and the planning of menus: for staff with the duty Kitchen."},
		&huma.Tag{Name: tagKitchen, Description: "What to cook and to hand out: for staff with the duty Kitchen; orders for others also for the duty FrontDesk. Answers have names and phone numbers."},
		&huma.Tag{Name: tagSafety, Description: "Where ingredients came from, what was kept of dishes, and what was checked: for staff with the duty Kitchen or Manager."},
		&huma.Tag{Name: tagCounty, Description: "Who pays less, and what that came to: for staff with the duty Manager."},
		&huma.Tag{Name: tagFeedback, Description: "What residents say about dishes and would like to be cooked. Answers to staff have no names."},
	)
	s.menuOperations(api)
	s.orderOperations(api)
	s.standingOperations(api)
	s.dishOperations(api)
	s.kitchenOperations(api)
	s.safetyOperations(api)
	s.subsidyOperations(api)
	s.ratingOperations(api)
	s.suggestionOperations(api)
	return api.Publish()
}

// Rules of the API that are no rules of orders. Names are stable.
const (
	ruleKeyReused = "idempotency-key-reused"
	ruleStale     = "changed-meanwhile"
	ruleInUse     = "ordered"
	rulePurseAway = "purse-away"
	ruleUnchecked = "ledger-away"
)

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if known, ok := errors.AsType[huma.StatusError](err); ok {
		return known
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		status := http.StatusUnprocessableEntity
		switch refusal.Rule {
		case RuleSoldOut, RuleOrdered, RuleEnded, RuleBusy, RuleSampleTaken, RuleSampleEarly, RuleUsesClosed, RuleCheckDay:
			status = http.StatusConflict
		}
		p := host.NewProblem(status, string(refusal.Rule), refusal.Text)
		if refusal.Field != "" {
			p.Errors = []*huma.ErrorDetail{{Message: refusal.Text, Location: "body." + refusal.Field}}
		} else if refusal.Dish != "" {
			p.Errors = []*huma.ErrorDetail{{Message: refusal.Text, Location: "body.lines", Value: refusal.Dish}}
		}
		return p
	}
	switch {
	case errors.Is(err, ErrKeyReused):
		return host.NewProblem(http.StatusUnprocessableEntity, ruleKeyReused, "The Idempotency-Key was used for another request. Use a new key for a new request.")
	case errors.Is(err, ErrStale):
		return host.NewProblem(http.StatusConflict, ruleStale, "Somebody else has changed this meanwhile. Read it again, and send your change with its version.")
	case errors.Is(err, ErrInUse):
		return host.NewProblem(http.StatusConflict, ruleInUse, "Portions of it were ordered. Cancel these orders first, or leave as many as were ordered.")
	case errors.Is(err, errUnchecked):
		return host.NewProblem(http.StatusServiceUnavailable, ruleUnchecked, "The ledger does not answer at the moment, so that the months cannot be held against it. Ask again in a minute.")
	case errors.Is(err, errNoAnswer):
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "a payment is gone on with later", "error", err.Error())
		}
		return host.NewProblem(http.StatusServiceUnavailable, rulePurseAway,
			"The purse does not answer at the moment. The order is kept, and goes on by itself as soon as it does: read it then, or repeat the request under its Idempotency-Key.")
	case errors.Is(err, errNotYours):
		return host.NewProblem(http.StatusForbidden, "", "You may not order for this person.")
	case errors.Is(err, ErrNotFound), errors.Is(err, identity.ErrNobody):
		return host.NewProblem(http.StatusNotFound, "", "There is nothing here.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return host.InternalProblem()
}

// answer is what an operation answers, with errors as callers may know them.
func answer[I, O any](s *service, f func(ctx context.Context, in *I) (*O, error)) func(ctx context.Context, in *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	}
}

// invalid is the error about a field, as the checks of inputs write theirs.
func invalid(location, message string) error {
	return huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: message, Location: location})
}

// parseID reads the ID of something; what is no ID is nothing's.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, ErrNotFound
	}
	return id, nil
}

// parseDay reads a date of a request. Centuries far from ours are refused: not
// all of them can be written.
func parseDay(location, text string) (civil.Date, error) {
	d, err := civil.ParseDate(text)
	if err == nil && (d.Year < 2000 || d.Year >= 3000) {
		return d, invalid(location, "this is not within the years 2000 to 2999")
	}
	if err != nil {
		return d, invalid(location, "write a date as YYYY-MM-DD")
	}
	return d, nil
}

// momentIn is a moment in the community's zone, or nil if it never was.
func momentIn(t time.Time, loc *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(loc)
	return &t
}
