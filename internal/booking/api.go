package booking

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

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// The tags by which the operations are grouped in the document.
const (
	tagVenues   = "venues"
	tagBookings = "bookings"
	tagSeries   = "series"
	tagWaiting  = "waiting-list"
	tagOwn      = "own"
	tagDesk     = "desk"
	tagClosures = "closures"
	tagManaging = "managing"
)

const (
	apiPath     = "/" + Name + "/api/v1"
	openAPIPath = "/" + Name + "/api/openapi.json"
	// maxRequestBytes is far more than a request with the longest note needs.
	maxRequestBytes = 16 << 10
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Linli booking",
				Version: "v1",
				Description: "Book rooms, seats and hours with an attendant of a community. " +
					"Times are RFC 3339; answers have the offset of the community's time zone. Errors are problem documents (RFC 9457).",
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The community from which this document is."}},
			Tags: []*huma.Tag{
				{Name: tagVenues, Description: "What can be booked, and when."},
				{Name: tagBookings, Description: "The bookings of the caller and of those for whom the caller may act."},
				{Name: tagSeries, Description: "Bookings that repeat every week."},
				{Name: tagWaiting, Description: "Waiting for what is taken. A place that becomes free is held for the first who waits for it; who accepts the hold in time has booked."},
				{Name: tagOwn, Description: "For whom the caller may act, and the calendar of the caller's bookings."},
				{Name: tagDesk, Description: "The day at the front desk: for staff with the duty FrontDesk. Answers have names and phone numbers."},
				{Name: tagClosures, Description: "Closing a venue or a place of it for a time: for staff with the duty FrontDesk."},
				{Name: tagManaging, Description: "Venues, their members and the codes on their doors: for staff with the duty Manager, and some to read for the duty FrontDesk."},
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
	s.venueOperations(o)
	s.bookingOperations(o)
	s.seriesOperations(o)
	s.waitingOperations(o)
	s.ownOperations(o)
	s.deskOperations(o)
	s.closureOperations(o)
	s.managerOperations(o)
	s.useOperations(o)

	// huma adds the schema of its own errors; ours is Problem.
	delete(api.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET "+openAPIPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		// An error here is a lost connection: there is nobody left to tell.
		_, _ = w.Write(document)
	})
	return nil
}

// Problem is an error of the API (RFC 9457).
type Problem struct {
	huma.ErrorModel
	Rule  string    `json:"rule,omitempty" example:"too-long" doc:"The name of the rule that refused the request. Names are stable."`
	Weeks []apiWeek `json:"weeks,omitempty" doc:"What came of each week of a series, if some stand in its way."`
}

// operations registers operations, with what they have in common.
type operations struct{ api huma.API }

// public is an operation for everybody.
func (o operations) public(op huma.Operation, errors ...int) huma.Operation {
	op.Path = apiPath + op.Path
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxRequestBytes
	}
	op.Security = []map[string][]string{} // none is needed, though a token that is sent must be valid
	errors = append(errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError)
	if op.Responses == nil {
		op.Responses = make(map[string]*huma.Response, len(errors))
	}
	schema := o.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range errors {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// personal is an operation for people who are signed in.
func (o operations) personal(op huma.Operation, errors ...int) huma.Operation {
	op = o.public(op, errors...)
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op.Middlewares = huma.Middlewares{noStore, requirePerson(o.api)}
	return op
}

// staff is an operation for staff who are charged with a duty.
func (o operations) staff(duty identity.Duty, op huma.Operation, errors ...int) huma.Operation {
	op = o.personal(op, errors...)
	op.Middlewares = append(op.Middlewares, requireDuty(o.api, duty))
	return op
}

// The errors of operations that read a body.
func withBody(errors ...int) []int {
	return append(errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
}

// The errors of operations on one thing by its id.
func byID(errors ...int) []int {
	return append(errors, http.StatusNotFound, http.StatusUnprocessableEntity)
}

func newProblem(status int, rule, detail string) *Problem {
	return &Problem{
		ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail},
		Rule:       rule,
	}
}

// invalid is the error about a field, as the checks of inputs write theirs.
func invalid(location string, value any, message string) error {
	return huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: message, Location: location, Value: value})
}

// Rules of the API that are no rules of a venue. Names are stable.
const (
	ruleKeyReused       = "idempotency-key-reused"
	ruleSeriesConflict  = "series-conflict"
	ruleTooManyAffected = "too-many-affected"
	ruleInUse           = "in-use"
	ruleManifest        = "managed-by-manifest"
)

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if known, ok := errors.AsType[huma.StatusError](err); ok {
		return known
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		status, detail := http.StatusUnprocessableEntity, refusal.Text
		if refusal.Rule == RuleTooManyCodes {
			status = http.StatusTooManyRequests
		}
		if refusal.Detail != "" {
			detail += ": " + refusal.Detail
		}
		return newProblem(status, string(refusal.Rule), detail)
	}
	switch {
	case errors.Is(err, ErrTaken):
		return newProblem(http.StatusConflict, "", takenText)
	case errors.Is(err, ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, ruleKeyReused, "The Idempotency-Key was used for another request. Use a new key for a new request.")
	case errors.Is(err, ErrTooMany):
		return newProblem(http.StatusUnprocessableEntity, ruleTooManyAffected, err.Error())
	case errors.Is(err, ErrInUse):
		return newProblem(http.StatusConflict, ruleInUse, "The venue has bookings ahead. Close it first, which cancels or moves them.")
	case errors.Is(err, errNotYours):
		return newProblem(http.StatusForbidden, "", "You may not act for this person.")
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, "", "There is nothing here.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return newProblem(http.StatusInternalServerError, "", "Something went wrong on our side. Nothing was changed that this request was not answered for; try again.")
}

// takenText says that there is no place.
const takenText = "Somebody else holds the place, or every place, at that time. Choose another."

// noStore keeps personal answers out of caches.
func noStore(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	next(ctx)
}

// requirePerson answers 401 unless somebody is signed in, and 403 unless it is
// a person whom the community knows.
func requirePerson(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		status, detail := identity.Refusal(ctx.Context())
		if status == 0 {
			next(ctx)
			return
		}
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
		_ = huma.WriteErr(api, ctx, http.StatusForbidden, fmt.Sprintf("This is for staff with the duty %s. Ask a manager of the community for it.", duty))
	}
}

// parseID reads the id of something; what is no id is nothing's.
func parseID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return uuid.Nil, ErrNotFound
	}
	return parsed, nil
}

// parseDay reads a date of a request; empty is today. Centuries far from ours
// are refused: nothing is booked there, and not all of them can be written.
func (s *service) parseDay(location, date string) (Date, error) {
	if date == "" {
		return DateOf(s.clock.Now(), s.location()), nil
	}
	d, err := ParseDate(date)
	if err == nil && !ours(d.Year) {
		err = errors.New(notOurTime)
	}
	if err != nil {
		return Date{}, invalid(location, date, err.Error())
	}
	return d, nil
}

const notOurTime = "this is not within the years 2000 to 2999"

func ours(year int) bool { return year >= 2000 && year < 3000 }

// bodySpan is a span of time in the body of a request.
func bodySpan(startName, endName string, start, end time.Time) (Slot, error) {
	for location, t := range map[string]time.Time{"body." + startName: start, "body." + endName: end} {
		if !ours(t.UTC().Year()) {
			return Slot{}, invalid(location, t.Format(time.RFC3339), notOurTime)
		}
	}
	return Slot{Start: start, End: end}, nil
}

// momentIn is a moment in the community's zone, or nil if it never was.
func momentIn(t time.Time, loc *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(loc)
	return &t
}
