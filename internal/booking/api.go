package booking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
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

// apiPath is where the JSON API is.
const apiPath = "/" + Name + "/api/v1"

// Who does the day's work, and who decides about venues.
var (
	frontDesk = []identity.Duty{identity.FrontDesk}
	managers  = []identity.Duty{identity.Manager}
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := host.NewAPI(mux, Name, &Problem{}, "Linli booking",
		"Book rooms, seats and hours with an attendant of a community. "+
			"Times are RFC 3339; answers have the offset of the community's time zone. Errors are problem documents (RFC 9457).",
		&huma.Tag{Name: tagVenues, Description: "What can be booked, and when."},
		&huma.Tag{Name: tagBookings, Description: "The bookings of the caller and of those for whom the caller may act."},
		&huma.Tag{Name: tagSeries, Description: "Bookings that repeat every week."},
		&huma.Tag{Name: tagWaiting, Description: "Waiting for what is taken. A place that becomes free is held for the first who waits for it; who accepts the hold in time has booked."},
		&huma.Tag{Name: tagOwn, Description: "For whom the caller may act, and the calendar of the caller's bookings."},
		&huma.Tag{Name: tagDesk, Description: "The day at the front desk: for staff with the duty FrontDesk. Answers have names and phone numbers."},
		&huma.Tag{Name: tagClosures, Description: "Closing a venue or a place of it for a time: for staff with the duty FrontDesk."},
		&huma.Tag{Name: tagManaging, Description: "Venues, their members and the codes on their doors: for staff with the duty Manager, and some to read for the duty FrontDesk."},
	)
	s.venueOperations(api)
	s.bookingOperations(api)
	s.seriesOperations(api)
	s.waitingOperations(api)
	s.ownOperations(api)
	s.deskOperations(api)
	s.closureOperations(api)
	s.managerOperations(api)
	s.useOperations(api)
	return api.Publish()
}

// Problem is an error of the API (RFC 9457).
type Problem struct {
	host.Problem
	Weeks []apiWeek `json:"weeks,omitempty" doc:"What came of each week of a series, if some stand in its way."`
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
		return host.NewProblem(status, string(refusal.Rule), detail)
	}
	switch {
	case errors.Is(err, ErrTaken):
		return host.NewProblem(http.StatusConflict, "", takenText)
	case errors.Is(err, ErrKeyReused):
		return host.NewProblem(http.StatusUnprocessableEntity, ruleKeyReused, "The Idempotency-Key was used for another request. Use a new key for a new request.")
	case errors.Is(err, ErrTooMany):
		return host.NewProblem(http.StatusUnprocessableEntity, ruleTooManyAffected, err.Error())
	case errors.Is(err, ErrInUse):
		return host.NewProblem(http.StatusConflict, ruleInUse, "The venue has bookings ahead. Close it first, which cancels or moves them.")
	case errors.Is(err, errNotYours):
		return host.NewProblem(http.StatusForbidden, "", "You may not act for this person.")
	case errors.Is(err, ErrNotFound):
		return host.NewProblem(http.StatusNotFound, "", "There is nothing here.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return host.InternalProblem()
}

// takenText says that there is no place.
const takenText = "Somebody else holds the place, or every place, at that time. Choose another."

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
