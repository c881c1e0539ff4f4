package booking

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/google/uuid"
	"github.com/linli-io/linli/internal/host"
)

// bookingOperations are what people do with their own bookings.
func (s *service) bookingOperations(api *host.API) {
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "create-booking", Method: http.MethodPost, Path: "/bookings", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagBookings},
		Summary:     "Book a place",
		Description: "Refused by a rule of the venue with 422 and the rule's name, with 409 if the place, or every place, is taken. Where the staff approve, the booking is requested first.",
	}, host.WithBody(http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests)...), s.createBooking)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "list-bookings", Method: http.MethodGet, Path: "/bookings",
		Tags:    []string{tagBookings},
		Summary: "One's own bookings, the latest start first",
	}, http.StatusUnprocessableEntity), s.listBookings)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "get-booking", Method: http.MethodGet, Path: "/bookings/{id}",
		Tags:    []string{tagBookings},
		Summary: "One of one's own bookings",
	}, host.ByID()...), s.getBooking)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "change-booking", Method: http.MethodPatch, Path: "/bookings/{id}",
		Tags:        []string{tagBookings},
		Summary:     "Move one of one's own bookings",
		Description: "To another time or place of its venue. What is left out stays as it is. A booking that cannot be moved stays where it was. Where the staff approve, they do so again.",
	}, host.WithBody(host.ByID(http.StatusConflict)...)...), s.changeBooking)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "cancel-booking", Method: http.MethodDelete, Path: "/bookings/{id}", DefaultStatus: http.StatusNoContent,
		Tags:        []string{tagBookings},
		Summary:     "Cancel one of one's own bookings",
		Description: "Or decline a hold. Cancelling again changes nothing. What has begun cannot be cancelled.",
	}, host.ByID()...), s.cancelBooking)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "accept-booking", Method: http.MethodPost, Path: "/bookings/{id}/accept",
		Tags:        []string{tagBookings},
		Summary:     "Accept a place that was held for one who waited",
		Description: "Until dueAt. Accepting again changes nothing.",
	}, host.ByID()...), s.acceptBooking)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "check-in", Method: http.MethodPost, Path: "/bookings/{id}/check-in",
		Tags:        []string{tagBookings},
		Summary:     "Check in by the code on the venue's door",
		Description: "From 15 minutes before the start on. After ten wrong codes in an hour every further one is answered with 429. Checking in again changes nothing.",
	}, host.WithBody(host.ByID(http.StatusTooManyRequests)...)...), s.checkIn)
}

// APIBooking is a booking in answers. Like all that is embedded in inputs and
// answers it is exported: huma sees nothing else.
type APIBooking struct {
	ID          uuid.UUID  `json:"id"`
	Venue       string     `json:"venue"`
	Place       int        `json:"place" doc:"The number of the place, from 1."`
	Attendant   string     `json:"attendant,omitempty" doc:"The name of the attendant who serves at the place."`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	Note        string     `json:"note,omitempty"`
	Person      string     `json:"person" doc:"The id of the person whom it is for."`
	Status      string     `json:"status" enum:"requested,held,booked,cancelled,refused,expired,released"`
	Reason      string     `json:"reason,omitempty" doc:"Why it was cancelled, refused or moved, in the words of who did so."`
	Series      *uuid.UUID `json:"series,omitempty" doc:"The series that it is of."`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	CancelledAt *time.Time `json:"cancelledAt,omitempty"`
	CheckedInAt *time.Time `json:"checkedInAt,omitempty"`
	DueAt       *time.Time `json:"dueAt,omitempty" doc:"When it ends by itself: held and not accepted, requested and not approved, booked and nobody checked in."`
}

// apiBookingOf writes a booking; attendants are those of all venues.
func apiBookingOf(b Booking, attendants map[string][]Attendant, loc *time.Location) APIBooking {
	a := APIBooking{
		ID: b.ID, Venue: b.Venue, Place: b.Place, Start: b.Start.In(loc), End: b.End.In(loc), Note: b.Note,
		Person: b.Person, Status: string(b.State), Reason: b.Reason, CreatedAt: b.CreatedAt.In(loc), UpdatedAt: b.UpdatedAt.In(loc),
		CheckedInAt: momentIn(b.CheckedInAt, loc), DueAt: momentIn(b.DueAt, loc),
	}
	if b.State == StateCancelled {
		a.CancelledAt = momentIn(b.EndedAt, loc)
	}
	if b.Series != uuid.Nil {
		a.Series = &b.Series
	}
	if at, ok := (Venue{Attendants: attendants[b.Venue]}).AttendantAt(b.Place); ok {
		a.Attendant = at.Name
	}
	return a
}

// apiBookings writes bookings.
func (s *service) apiBookings(ctx context.Context, bookings []Booking) ([]APIBooking, error) {
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := make([]APIBooking, 0, len(bookings))
	for _, b := range bookings {
		out = append(out, apiBookingOf(b, attendants, s.location()))
	}
	return out, nil
}

type bookingOutput struct{ Body APIBooking }

// answer is a booking, or the problem that err is.
func (s *service) answer(ctx context.Context, b Booking, err error) (*bookingOutput, error) {
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out, err := s.apiBookings(ctx, []Booking{b})
	if err != nil {
		return nil, err
	}
	return &bookingOutput{Body: out[0]}, nil
}

// WantedSpan is in bodies what is wanted of a venue.
type WantedSpan struct {
	Venue     string    `json:"venue" maxLength:"63" example:"study-room"`
	Start     time.Time `json:"start" example:"2026-11-23T09:00:00+08:00"`
	End       time.Time `json:"end" example:"2026-11-23T10:00:00+08:00"`
	Place     int       `json:"place,omitempty" minimum:"1" doc:"The place wanted; any if left out."`
	Attendant string    `json:"attendant,omitempty" maxLength:"63" doc:"The name of the attendant wanted, instead of the place; any if left out."`
}

// ForPerson is in bodies for whom something is asked.
type ForPerson struct {
	For string `json:"for,omitempty" maxLength:"100" doc:"The id of the person whom it is for, one for whom the caller may act; the caller if left out."`
}

// request is what is wanted of a venue; its errors are for problem.
func (s *service) request(ctx context.Context, in WantedSpan, note string) (Request, error) {
	place, err := s.placeOf(ctx, in.Venue, in.Place, in.Attendant)
	return Request{Venue: in.Venue, Slot: Slot{Start: in.Start, End: in.End}, Place: place, Note: note}, err
}

// placeOf is the number of a place that is given by its number or by the
// attendant who serves there; 0, which is any, if it is given by neither.
func (s *service) placeOf(ctx context.Context, venue string, place int, attendant string) (int, error) {
	if attendant == "" {
		return place, nil
	}
	v, err := s.store.Venue(ctx, venue, s.clock.Now())
	if err != nil {
		return 0, unknownAs(err, unknownVenue(venue))
	}
	only, ok := v.Only(attendant)
	switch {
	case !ok:
		return 0, noAttendant(attendant)
	case place != 0 && place != only.Attendants[0].Place:
		return 0, refuse(RuleUnknownPlace, v.Places, "attendant %q serves at place %d, not at place %d", attendant, only.Attendants[0].Place, place)
	}
	return only.Attendants[0].Place, nil
}

func unknownVenue(name string) *Refusal {
	return refuse(RuleUnknownVenue, 0, "there is no venue %q to book", name)
}

// unknownAs is err, or a refusal by a rule if it is that there is no such venue.
func unknownAs(err error, refusal *Refusal) error {
	if errors.Is(err, ErrNotFound) {
		return refusal
	}
	return err
}

func noAttendant(name string) *Refusal {
	return refuse(RuleUnknownPlace, 0, "there is no attendant %q at this venue", name)
}

type createBookingInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once and answered alike."`
	Body           struct {
		WantedSpan
		Note string `json:"note,omitempty" maxLength:"500"`
		ForPerson
		Code string `json:"code,omitempty" pattern:"^[0-9]{6}$" doc:"The code on the venue's door, of somebody who stands there: what is left of a slot that has begun can be booked, and is checked in at once."`
	}
}

type createBookingOutput struct {
	Location string `header:"Location"`
	Body     APIBooking
}

func (s *service) createBooking(ctx context.Context, in *createBookingInput) (*createBookingOutput, error) {
	b, err := s.createdBooking(ctx, in)
	out, err := s.answer(ctx, b, err)
	if err != nil {
		return nil, err
	}
	return &createBookingOutput{Location: apiPath + "/bookings/" + b.ID.String(), Body: out.Body}, nil
}

func (s *service) createdBooking(ctx context.Context, in *createBookingInput) (Booking, error) {
	party, err := s.party(ctx, in.Body.For)
	if err != nil {
		return Booking{}, err
	}
	request, err := s.request(ctx, in.Body.WantedSpan, in.Body.Note)
	if err != nil {
		return Booking{}, err
	}
	if in.Body.Code != "" {
		err := s.store.CheckCode(ctx, request.Venue, party.BookedBy, in.Body.Code, s.clock.Now())
		if err != nil {
			return Booking{}, unknownAs(err, unknownVenue(request.Venue))
		}
		party.Present = true
	}
	return s.book(ctx, s.order(request, party, in.IdempotencyKey))
}

type listBookingsInput struct {
	When   string `query:"when" enum:"upcoming,past" doc:"upcoming: live and not ended, the earliest start first. past: ended or cancelled. All if left out."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many bookings a page has at most."`
	Cursor string `query:"cursor" maxLength:"100" doc:"The next of the page before."`
}

type listBookingsOutput struct {
	Body struct {
		Bookings []APIBooking `json:"bookings"`
		Next     string       `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one."`
	}
}

func (s *service) listBookings(ctx context.Context, in *listBookingsInput) (*listBookingsOutput, error) {
	after, err := ParseCursor(in.Cursor)
	if err != nil {
		return nil, invalid("query.cursor", in.Cursor, err.Error())
	}
	bookings, err := s.store.Bookings(ctx, s.reach(ctx), Which(in.When), after, in.Limit+1, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listBookingsOutput{}
	bookings, out.Body.Next = page(bookings, in.Limit)
	out.Body.Bookings, err = s.apiBookings(ctx, bookings)
	return out, err
}

// BookingInput is the path to a booking.
type BookingInput struct {
	ID string `path:"id" format:"uuid" doc:"The booking's id."`
}

func (s *service) getBooking(ctx context.Context, in *BookingInput) (*bookingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, err := s.store.Booking(ctx, s.reach(ctx), id)
	return s.answer(ctx, b, err)
}

type changeBookingInput struct {
	BookingInput
	Body struct {
		Start     *time.Time `json:"start,omitempty"`
		End       *time.Time `json:"end,omitempty" doc:"If it is left out, and start is not, the booking stays as long as it is."`
		Place     *int       `json:"place,omitempty" minimum:"0" doc:"0 is any place."`
		Attendant string     `json:"attendant,omitempty" maxLength:"63" doc:"The name of the attendant wanted, instead of the place."`
	}
}

func (s *service) changeBooking(ctx context.Context, in *changeBookingInput) (*bookingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, err := s.changedBooking(ctx, s.act(ctx, id), in)
	return s.answer(ctx, b, err)
}

// changedBooking moves a booking as a request says.
func (s *service) changedBooking(ctx context.Context, a Act, in *changeBookingInput) (Booking, error) {
	b, err := s.store.Booking(ctx, a.Reach, a.ID)
	if err != nil {
		return b, err
	}
	to := Request{Venue: b.Venue, Slot: b.Slot, Place: b.Place}
	if in.Body.Start != nil {
		to.Slot = Slot{Start: *in.Body.Start, End: in.Body.Start.Add(b.End.Sub(b.Start))}
	}
	if in.Body.End != nil {
		to.End = *in.Body.End
	}
	switch {
	case in.Body.Attendant != "":
		place := 0
		if in.Body.Place != nil {
			place = *in.Body.Place
		}
		if to.Place, err = s.placeOf(ctx, b.Venue, place, in.Body.Attendant); err != nil {
			return b, err
		}
	case in.Body.Place != nil:
		to.Place = *in.Body.Place
	}
	party := Party{Person: b.Person, BookedBy: a.Actor, Staff: true}
	if !a.Staff {
		if party, err = s.party(ctx, b.Person); err != nil {
			return b, err
		}
	}
	return s.change(ctx, a, party, to)
}

func (s *service) cancelBooking(ctx context.Context, in *BookingInput) (*struct{}, error) {
	id, err := parseID(in.ID)
	if err == nil {
		_, err = s.cancel(ctx, s.act(ctx, id), "")
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

func (s *service) acceptBooking(ctx context.Context, in *BookingInput) (*bookingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, _, err := s.store.Accept(ctx, s.act(ctx, id))
	return s.answer(ctx, b, err)
}

type checkInInput struct {
	BookingInput
	Body struct {
		Code string `json:"code" pattern:"^[0-9]{6}$" example:"123456" doc:"The code on the venue's door."`
	}
}

func (s *service) checkIn(ctx context.Context, in *checkInInput) (*bookingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, _, err := s.store.CheckIn(ctx, s.act(ctx, id), in.Body.Code)
	return s.answer(ctx, b, err)
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
