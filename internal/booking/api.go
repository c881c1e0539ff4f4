package booking

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// The tags by which the operations are grouped in the document.
const (
	tagVenues   = "venues"
	tagBookings = "bookings"
)

const (
	apiPath     = "/" + Name + "/api/v1"
	openAPIPath = "/" + Name + "/api/openapi.json"
	// maxRequestBytes is far more than a request with the longest note needs.
	maxRequestBytes = 16 << 10
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *http.ServeMux) error {
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
				{Name: tagBookings, Description: "The caller's own bookings."},
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
	schemas := api.OpenAPI().Components.Schemas
	public := func(op huma.Operation, errors ...int) huma.Operation {
		op.Path = apiPath + op.Path
		op.MaxBodyBytes = maxRequestBytes
		op.Security = []map[string][]string{} // none is needed, though a token that is sent must be valid
		op.Responses = problems(schemas, append(errors, http.StatusUnauthorized, http.StatusInternalServerError))
		return op
	}
	personal := func(op huma.Operation, errors ...int) huma.Operation {
		op = public(op, errors...)
		op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
		op.Middlewares = huma.Middlewares{requirePerson(api)}
		return op
	}
	huma.Register(api, public(huma.Operation{
		OperationID: "list-venues", Method: http.MethodGet, Path: "/venues",
		Tags:    []string{tagVenues},
		Summary: "What can be booked",
	}), s.listVenues)
	huma.Register(api, public(huma.Operation{
		OperationID: "get-availability", Method: http.MethodGet, Path: "/venues/{venue}/availability",
		Tags:    []string{tagVenues},
		Summary: "A venue's day at a glance",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.getAvailability)
	huma.Register(api, personal(huma.Operation{
		OperationID: "create-booking", Method: http.MethodPost, Path: "/bookings", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagBookings},
		Summary:     "Book a place",
		Description: "Refused by a rule of the venue with 422 and the rule's name, with 409 if the place, or every place, is taken.",
	}, http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity), s.createBooking)
	huma.Register(api, personal(huma.Operation{
		OperationID: "list-bookings", Method: http.MethodGet, Path: "/bookings",
		Tags:    []string{tagBookings},
		Summary: "One's own bookings, the latest start first",
	}, http.StatusUnprocessableEntity), s.listBookings)
	huma.Register(api, personal(huma.Operation{
		OperationID: "get-booking", Method: http.MethodGet, Path: "/bookings/{id}",
		Tags:    []string{tagBookings},
		Summary: "One of one's own bookings",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.getBooking)
	huma.Register(api, personal(huma.Operation{
		OperationID: "cancel-booking", Method: http.MethodDelete, Path: "/bookings/{id}", DefaultStatus: http.StatusNoContent,
		Tags:        []string{tagBookings},
		Summary:     "Cancel one of one's own bookings",
		Description: "Cancelling again changes nothing. What has begun cannot be cancelled.",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.cancelBooking)

	// huma adds the schema of its own errors; ours is Problem.
	delete(schemas.Map(), "ErrorModel")
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
	Rule string `json:"rule,omitempty" example:"too-long" doc:"The name of the rule that refused the request. Names are stable."`
}

// problems documents the errors of an operation.
func problems(schemas huma.Registry, statuses []int) map[string]*huma.Response {
	schema := schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	responses := make(map[string]*huma.Response, len(statuses))
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return responses
}

func newProblem(status int, rule, detail string) *Problem {
	return &Problem{
		ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail},
		Rule:       rule,
	}
}

// ruleKeyReused is the rule of idempotency keys.
const ruleKeyReused = "idempotency-key-reused"

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return newProblem(http.StatusUnprocessableEntity, string(refusal.Rule), refusal.Text)
	}
	switch {
	case errors.Is(err, ErrTaken):
		return newProblem(http.StatusConflict, "", "Somebody else holds the place, or every place, at that time. Choose another.")
	case errors.Is(err, ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, ruleKeyReused, "The Idempotency-Key was used for another request. Use a new key for a new request.")
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

// requirePerson answers 401 unless somebody is signed in.
func requirePerson(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if _, ok := identity.FromContext(ctx.Context()); ok {
			next(ctx)
			return
		}
		ctx.SetHeader("WWW-Authenticate", "Bearer")
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, "Sign in, or send a bearer token in the Authorization header.")
	}
}

type apiVenue struct {
	Name                 string     `json:"name"`
	DisplayName          string     `json:"displayName"`
	Description          string     `json:"description,omitempty"`
	Kind                 string     `json:"kind" enum:"Room,Seats,Attended"`
	Capacity             int        `json:"capacity" doc:"How many bookings can be held at the same time."`
	SlotMinutes          int        `json:"slotMinutes"`
	MaxSlotsPerBooking   int        `json:"maxSlotsPerBooking"`
	MaxPerResidentPerDay int        `json:"maxPerResidentPerDay"`
	LastDay              string     `json:"lastDay" format:"date" doc:"The last day that can be booked now."`
	Hours                []apiHours `json:"hours"`
}

type apiHours struct {
	Day  string `json:"day" enum:"Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"`
	From string `json:"from" example:"08:00"`
	To   string `json:"to" example:"24:00" doc:"The time of closing; 24:00 is the end of the day."`
}

type listVenuesOutput struct {
	Body struct {
		TimeZone string     `json:"timeZone" example:"Asia/Shanghai" doc:"The community's time zone, in which days and hours are meant."`
		Venues   []apiVenue `json:"venues"`
	}
}

func (s *service) listVenues(ctx context.Context, _ *struct{}) (*listVenuesOutput, error) {
	venues, err := s.store.Venues(ctx, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listVenuesOutput{}
	loc := s.location()
	out.Body.TimeZone = loc.String()
	out.Body.Venues = make([]apiVenue, 0, len(venues))
	for _, v := range venues {
		a := apiVenue{
			Name: v.Name, DisplayName: v.DisplayName, Description: v.Description, Kind: string(v.Kind),
			Capacity: v.Capacity(), SlotMinutes: v.SlotMinutes, MaxSlotsPerBooking: v.MaxSlots, MaxPerResidentPerDay: v.DailyLimit,
			LastDay: v.LastDay(s.clock.Now(), loc).String(), Hours: []apiHours{},
		}
		for i := range 7 {
			weekday := time.Weekday((i + 1) % 7) // from Monday on
			for _, h := range v.Hours[weekday] {
				a.Hours = append(a.Hours, apiHours{Day: weekday.String(), From: timeOfDay(h.From), To: timeOfDay(h.To)})
			}
		}
		out.Body.Venues = append(out.Body.Venues, a)
	}
	return out, nil
}

// timeOfDay writes minutes after midnight as HH:MM.
func timeOfDay(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

type availabilityInput struct {
	Venue string `path:"venue" maxLength:"63" example:"study-room" doc:"The venue's name, as in the list of venues."`
	Date  string `query:"date" maxLength:"10" example:"2026-11-23" doc:"The day, in the community's time zone; today if left out."`
}

type apiSlot struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	State    string    `json:"state" enum:"free,full,past,closed"`
	Free     int       `json:"free" doc:"How many places nobody holds."`
	Capacity int       `json:"capacity"`
}

type availabilityOutput struct {
	Body struct {
		Venue    string    `json:"venue"`
		Date     string    `json:"date" format:"date"`
		TimeZone string    `json:"timeZone"`
		Capacity int       `json:"capacity"`
		Rule     string    `json:"rule,omitempty" doc:"The rule by which nothing can be booked on this day, such as closed-day or outside-window."`
		Slots    []apiSlot `json:"slots"`
	}
}

func (s *service) getAvailability(ctx context.Context, in *availabilityInput) (*availabilityOutput, error) {
	loc := s.location()
	date := DateOf(s.clock.Now(), loc)
	if in.Date != "" {
		var err error
		if date, err = ParseDate(in.Date); err != nil {
			return nil, huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: err.Error(), Location: "query.date", Value: in.Date})
		}
	}
	day, err := s.day(ctx, in.Venue, date)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &availabilityOutput{}
	out.Body.Venue, out.Body.Date, out.Body.TimeZone, out.Body.Capacity = day.Venue.Name, date.String(), loc.String(), day.Venue.Capacity()
	if day.Refusal != nil {
		out.Body.Rule = string(day.Refusal.Rule)
	}
	out.Body.Slots = make([]apiSlot, 0, len(day.Offers))
	for _, o := range day.Offers {
		out.Body.Slots = append(out.Body.Slots, apiSlot{
			Start: o.Start.In(loc), End: o.End.In(loc), State: string(o.State), Free: o.Free, Capacity: day.Venue.Capacity(),
		})
	}
	return out, nil
}

type apiBooking struct {
	ID          uuid.UUID  `json:"id"`
	Venue       string     `json:"venue"`
	Place       int        `json:"place" doc:"The number of the place, from 1."`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	Note        string     `json:"note,omitempty"`
	Person      string     `json:"person" doc:"The id of the person whom it is for."`
	Status      string     `json:"status" enum:"requested,held,booked,cancelled,refused,expired,released"`
	CreatedAt   time.Time  `json:"createdAt"`
	CancelledAt *time.Time `json:"cancelledAt,omitempty"`
}

func apiBookingOf(b Booking, loc *time.Location) apiBooking {
	a := apiBooking{
		ID: b.ID, Venue: b.Venue, Place: b.Place, Start: b.Start.In(loc), End: b.End.In(loc), Note: b.Note,
		Person: b.Person, Status: string(b.State), CreatedAt: b.CreatedAt.In(loc),
	}
	if b.State == StateCancelled {
		at := b.EndedAt.In(loc)
		a.CancelledAt = &at
	}
	return a
}

type createBookingInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once and answered alike."`
	Body           struct {
		Venue string    `json:"venue" maxLength:"63" example:"study-room"`
		Start time.Time `json:"start" example:"2026-11-23T09:00:00+08:00"`
		End   time.Time `json:"end" example:"2026-11-23T10:00:00+08:00"`
		Place int       `json:"place,omitempty" minimum:"1" doc:"The place wanted; any if left out."`
		Note  string    `json:"note,omitempty" maxLength:"500"`
		For   string    `json:"for,omitempty" maxLength:"100" doc:"The id of the person whom it is for, one for whom the caller may act; the caller if left out."`
	}
}

type createBookingOutput struct {
	Location string `header:"Location"`
	Body     apiBooking
}

func (s *service) createBooking(ctx context.Context, in *createBookingInput) (*createBookingOutput, error) {
	party, err := s.party(ctx, in.Body.For)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, err := s.book(ctx, s.order(Request{
		Venue: in.Body.Venue, Slot: Slot{Start: in.Body.Start, End: in.Body.End}, Place: in.Body.Place, Note: in.Body.Note,
	}, party, in.IdempotencyKey))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &createBookingOutput{Location: apiPath + "/bookings/" + b.ID.String(), Body: apiBookingOf(b, s.location())}, nil
}

type listBookingsInput struct {
	When   string `query:"when" enum:"upcoming,past" doc:"upcoming: live and not ended, the earliest start first. past: ended or cancelled. All if left out."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many bookings a page has at most."`
	Cursor string `query:"cursor" maxLength:"100" doc:"The next of the page before."`
}

type listBookingsOutput struct {
	Body struct {
		Bookings []apiBooking `json:"bookings"`
		Next     string       `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one."`
	}
}

func (s *service) listBookings(ctx context.Context, in *listBookingsInput) (*listBookingsOutput, error) {
	after, err := ParseCursor(in.Cursor)
	if err != nil {
		return nil, huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: err.Error(), Location: "query.cursor", Value: in.Cursor})
	}
	bookings, err := s.store.Bookings(ctx, s.reach(ctx), Which(in.When), after, in.Limit+1, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listBookingsOutput{}
	bookings, out.Body.Next = page(bookings, in.Limit)
	out.Body.Bookings = make([]apiBooking, 0, len(bookings))
	for _, b := range bookings {
		out.Body.Bookings = append(out.Body.Bookings, apiBookingOf(b, s.location()))
	}
	return out, nil
}

type bookingInput struct {
	ID string `path:"id" format:"uuid" doc:"The booking's id."`
}

type bookingOutput struct{ Body apiBooking }

func (s *service) getBooking(ctx context.Context, in *bookingInput) (*bookingOutput, error) {
	id, err := uuid.Parse(in.ID)
	if err != nil {
		return nil, s.problem(ctx, ErrNotFound)
	}
	b, err := s.store.Booking(ctx, s.reach(ctx), id)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &bookingOutput{Body: apiBookingOf(b, s.location())}, nil
}

func (s *service) cancelBooking(ctx context.Context, in *bookingInput) (*struct{}, error) {
	id, err := uuid.Parse(in.ID)
	if err != nil {
		return nil, s.problem(ctx, ErrNotFound)
	}
	if _, err := s.cancel(ctx, s.act(ctx, id), ""); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

// page cuts a list that was read with one row more than limit, and gives the
// cursor of what follows.
func page(bookings []Booking, limit int) ([]Booking, string) {
	if len(bookings) <= limit {
		return bookings, ""
	}
	last := bookings[limit-1]
	return bookings[:limit], Cursor{Start: last.Start, ID: last.ID}.String()
}

// String writes the cursor for clients, who are not to make their own.
func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", c.Start.Unix(), c.ID))
}

// ParseCursor reads what Cursor.String has written; empty is the zero Cursor.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	wrong := errors.New("this is not a cursor of this list; use the next of the page before")
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Cursor{}, wrong
	}
	start, id, _ := strings.Cut(string(text), ".")
	seconds, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		return Cursor{}, wrong
	}
	parsed, err := uuid.Parse(id)
	if err != nil {
		return Cursor{}, wrong
	}
	return Cursor{Start: time.Unix(seconds, 0), ID: parsed}, nil
}
