package booking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/identity"
)

// deskOperations are the front desk's day.
func (s *service) deskOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagDesk}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-board", Method: http.MethodGet, Path: "/staff/board",
		Summary: "All bookings of a day at all venues, in order of time; those that were given up too",
	}, http.StatusUnprocessableEntity), s.deskBoard)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-requests", Method: http.MethodGet, Path: "/staff/requests",
		Summary: "The bookings that wait for approval, the first to begin first",
	}), s.deskRequests)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-find-people", Method: http.MethodGet, Path: "/staff/people",
		Summary: "Look for people by name, or by at least three digits of the phone number",
	}, http.StatusUnprocessableEntity), s.deskPeople)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-create-booking", Method: http.MethodPost, Path: "/staff/bookings", DefaultStatus: http.StatusCreated,
		Summary:     "Book for somebody, who need not have an account",
		Description: "How far ahead, how late and for whom is the staff's to judge; what is open, taken and the limits of a person hold. It needs no approval.",
	}, host.WithBody(http.StatusConflict)...), s.deskCreate)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-get-booking", Method: http.MethodGet, Path: "/staff/bookings/{id}",
		Summary: "Anybody's booking",
	}, host.ByID()...), s.deskGet)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-change-booking", Method: http.MethodPatch, Path: "/staff/bookings/{id}",
		Summary:     "Move anybody's booking",
		Description: "As change-booking, until its end, and without approval.",
	}, host.WithBody(host.ByID(http.StatusConflict)...)...), s.deskChange)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-approve-booking", Method: http.MethodPost, Path: "/staff/bookings/{id}/approve",
		Summary: "Approve a booking; approving again changes nothing",
	}, host.ByID()...), s.deskApprove)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-refuse-booking", Method: http.MethodPost, Path: "/staff/bookings/{id}/refuse",
		Summary: "Refuse a booking with a reason; refusing again changes nothing",
	}, host.WithBody(host.ByID()...)...), s.deskRefuse)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-accept-booking", Method: http.MethodPost, Path: "/staff/bookings/{id}/accept",
		Summary: "Accept what was held for somebody who waited, and who said so by phone; again changes nothing",
	}, host.ByID()...), s.deskAccept)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-check-in", Method: http.MethodPost, Path: "/staff/bookings/{id}/check-in",
		Summary: "Note that somebody has come; again changes nothing",
	}, host.ByID()...), s.deskCheckIn)
	huma.Register(api, desk(huma.Operation{
		OperationID: "staff-cancel-booking", Method: http.MethodPost, Path: "/staff/bookings/{id}/cancel",
		Summary: "Cancel anybody's booking, until its end; cancelling again changes nothing",
	}, host.WithBody(host.ByID()...)...), s.deskCancel)
}

// staffBooking is a booking with what the staff need to reach people.
type staffBooking struct {
	APIBooking
	Name     string `json:"name" doc:"The name of the person whom it is for."`
	Phone    string `json:"phone,omitempty"`
	BookedBy string `json:"bookedBy" doc:"The id of the person who booked it."`
}

// deskBookings writes bookings for the staff.
func (s *service) deskBookings(ctx context.Context, bookings []Booking) ([]staffBooking, error) {
	written, err := s.apiBookings(ctx, bookings)
	if err != nil {
		return nil, err
	}
	out := make([]staffBooking, len(bookings))
	for i, b := range bookings {
		out[i] = staffBooking{APIBooking: written[i], Name: b.Name, Phone: b.Phone, BookedBy: b.BookedBy}
	}
	return out, nil
}

type staffBookingOutput struct{ Body staffBooking }

// deskAnswer is a booking for the staff, or the problem that err is.
func (s *service) deskAnswer(ctx context.Context, b Booking, err error) (*staffBookingOutput, error) {
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out, err := s.deskBookings(ctx, []Booking{b})
	if err != nil {
		return nil, err
	}
	return &staffBookingOutput{Body: out[0]}, nil
}

type staffDayInput struct {
	Date string `query:"date" maxLength:"10" example:"2026-11-23" doc:"The day, in the community's time zone; today if left out."`
}

type staffBoardOutput struct {
	Body struct {
		Date     string         `json:"date" format:"date"`
		Bookings []staffBooking `json:"bookings"`
	}
}

func (s *service) deskBoard(ctx context.Context, in *staffDayInput) (*staffBoardOutput, error) {
	day, err := s.parseDay("query.date", in.Date)
	if err != nil {
		return nil, err
	}
	bookings, err := s.store.Board(ctx, day)
	if err == nil {
		err = s.look(ctx, Look{what: actionDayView, object: day.String(), people: peopleOf(bookings)})
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &staffBoardOutput{}
	out.Body.Date = day.String()
	out.Body.Bookings, err = s.deskBookings(ctx, bookings)
	return out, err
}

type staffRequestsOutput struct {
	Body struct {
		Bookings []staffBooking `json:"bookings"`
	}
}

func (s *service) deskRequests(ctx context.Context, _ *struct{}) (*staffRequestsOutput, error) {
	bookings, err := s.store.Requested(ctx)
	if err == nil {
		err = s.look(ctx, Look{what: actionRequestsView, people: peopleOf(bookings)})
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &staffRequestsOutput{}
	out.Body.Bookings, err = s.deskBookings(ctx, bookings)
	return out, err
}

// maxFound is how many people are found at most, so that nobody can leaf
// through all residents.
const maxFound = 20

type staffPeopleInput struct {
	Query string `query:"query" required:"true" minLength:"1" maxLength:"60" doc:"Parts of a name, in any order, or digits of a phone number."`
}

type staffPerson struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	LatinName string `json:"latinName,omitempty"`
	Phone     string `json:"phone,omitempty"`
}

type staffPeopleOutput struct {
	Body struct {
		People []staffPerson `json:"people" maxItems:"20"`
	}
}

func (s *service) deskPeople(ctx context.Context, in *staffPeopleInput) (*staffPeopleOutput, error) {
	out := &staffPeopleOutput{}
	out.Body.People = []staffPerson{}
	found, err := s.people.Find(ctx, in.Query, maxFound)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, p := range found {
		out.Body.People = append(out.Body.People, staffPerson{ID: p.ID, Name: p.Name, LatinName: p.LatinName, Phone: p.Phone})
	}
	return out, nil
}

type staffGuest struct {
	Name  string `json:"name" minLength:"1" maxLength:"60"`
	Phone string `json:"phone" pattern:"^[+]?[0-9][0-9 ()-]{4,20}$" example:"13800000009" doc:"Where to reach the guest."`
}

// ForSomebody is in bodies for whom staff ask: a person or a guest.
type ForSomebody struct {
	Person string      `json:"person,omitempty" maxLength:"100" doc:"The id of the person whom it is for."`
	Guest  *staffGuest `json:"guest,omitempty" doc:"Whom it is for, instead of a person: somebody without an account."`
}

// somebody is for whom a member of staff asks.
func (s *service) somebody(ctx context.Context, in ForSomebody) (Party, error) {
	if (in.Person == "") == (in.Guest == nil) {
		return Party{}, invalid("body", nil, "give either person or guest: for whom it is")
	}
	caller, _ := identity.FromContext(ctx)
	if in.Guest != nil {
		return guest(in.Guest.Name, in.Guest.Phone, caller.ID), nil
	}
	p, err := s.person(ctx, in.Person)
	if errors.Is(err, ErrNotFound) {
		return Party{}, refuse(RuleUnknownPerson, 0, "nobody here has the id %q", in.Person)
	}
	if err != nil {
		return Party{}, err
	}
	party := partyOf(p, caller.ID)
	party.Staff = true
	return party, nil
}

type staffCreateInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once and answered alike."`
	Body           struct {
		WantedSpan
		Note string `json:"note,omitempty" maxLength:"500"`
		ForSomebody
		Present bool `json:"present,omitempty" doc:"They stand at the desk and are checked in at once."`
	}
}

type staffCreateOutput struct {
	Location string `header:"Location"`
	Body     staffBooking
}

func (s *service) deskCreate(ctx context.Context, in *staffCreateInput) (*staffCreateOutput, error) {
	if _, err := bodySpan("start", "end", in.Body.Start, in.Body.End); err != nil {
		return nil, err
	}
	b, err := s.deskCreated(ctx, in)
	out, err := s.deskAnswer(ctx, b, err)
	if err != nil {
		return nil, err
	}
	return &staffCreateOutput{Location: apiPath + "/staff/bookings/" + b.ID.String(), Body: out.Body}, nil
}

func (s *service) deskCreated(ctx context.Context, in *staffCreateInput) (Booking, error) {
	party, err := s.somebody(ctx, in.Body.ForSomebody)
	if err != nil {
		return Booking{}, err
	}
	party.Present = in.Body.Present
	request, err := s.request(ctx, in.Body.WantedSpan, in.Body.Note)
	if err != nil {
		return Booking{}, err
	}
	return s.book(ctx, s.order(request, party, in.IdempotencyKey))
}

// deskOn has a member of staff do something with the booking of an id.
func (s *service) deskOn(ctx context.Context, in BookingInput, do func(Act) (Booking, error)) (*staffBookingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	b, err := do(s.staffAct(ctx, id))
	return s.deskAnswer(ctx, b, err)
}

func (s *service) deskGet(ctx context.Context, in *BookingInput) (*staffBookingOutput, error) {
	return s.deskOn(ctx, *in, func(a Act) (Booking, error) {
		b, err := s.store.Booking(ctx, a.Reach, a.ID)
		if err != nil {
			return b, err
		}
		return b, s.store.See(ctx, a, b)
	})
}

func (s *service) deskChange(ctx context.Context, in *changeBookingInput) (*staffBookingOutput, error) {
	for location, t := range map[string]*time.Time{"body.start": in.Body.Start, "body.end": in.Body.End} {
		if t != nil && !ours(t.UTC().Year()) {
			return nil, invalid(location, t.Format(time.RFC3339), notOurTime)
		}
	}
	return s.deskOn(ctx, in.BookingInput, func(a Act) (Booking, error) { return s.changedBooking(ctx, a, in) })
}

func (s *service) deskApprove(ctx context.Context, in *BookingInput) (*staffBookingOutput, error) {
	return s.deskOn(ctx, *in, func(a Act) (Booking, error) {
		b, _, err := s.store.Approve(ctx, a)
		return b, err
	})
}

func (s *service) deskAccept(ctx context.Context, in *BookingInput) (*staffBookingOutput, error) {
	return s.deskOn(ctx, *in, func(a Act) (Booking, error) {
		b, _, err := s.store.Accept(ctx, a)
		return b, err
	})
}

type staffRefuseInput struct {
	BookingInput
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"What the person reads."`
	}
}

func (s *service) deskRefuse(ctx context.Context, in *staffRefuseInput) (*staffBookingOutput, error) {
	return s.deskOn(ctx, in.BookingInput, func(a Act) (Booking, error) {
		b, _, err := s.store.Refuse(ctx, a, in.Body.Reason)
		return b, err
	})
}

func (s *service) deskCheckIn(ctx context.Context, in *BookingInput) (*staffBookingOutput, error) {
	return s.deskOn(ctx, *in, func(a Act) (Booking, error) {
		b, _, err := s.store.CheckIn(ctx, a, "")
		return b, err
	})
}

type staffCancelInput struct {
	BookingInput
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"200" doc:"What the person reads."`
	}
}

func (s *service) deskCancel(ctx context.Context, in *staffCancelInput) (*staffBookingOutput, error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return s.deskOn(ctx, in.BookingInput, func(a Act) (Booking, error) { return s.cancel(ctx, a, reason) })
}
