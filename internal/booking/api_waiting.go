package booking

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
)

// waitingOperations are about waiting for what is taken.
func (s *service) waitingOperations(api *host.API) {
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "list-waiting", Method: http.MethodGet, Path: "/waiting-list",
		Tags:    []string{tagWaiting},
		Summary: "What one waits for, or is offered, the earliest start first",
	}), s.listWaiting)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "join-waiting-list", Method: http.MethodPost, Path: "/waiting-list", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagWaiting},
		Summary:     "Wait for a time that is taken",
		Description: "Refused with the rule still-free while it can be booked. Waiting again for the same is answered with the entry there is.",
	}, host.WithBody(http.StatusForbidden)...), s.joinWaitingList)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "leave-waiting-list", Method: http.MethodDelete, Path: "/waiting-list/{id}", DefaultStatus: http.StatusNoContent,
		Tags:        []string{tagWaiting},
		Summary:     "Wait no more",
		Description: "An offer is declined with it. Leaving again changes nothing.",
	}, host.ByID()...), s.leaveWaitingList)
	huma.Register(api, api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-waiting-list", Method: http.MethodGet, Path: "/staff/waiting-list",
		Tags:    []string{tagDesk},
		Summary: "Who waits for times on a day, by venue, in the order of joining",
	}, http.StatusUnprocessableEntity), s.deskWaiting)
	huma.Register(api, api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-join-waiting-list", Method: http.MethodPost, Path: "/staff/waiting-list", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagDesk},
		Summary:     "Have somebody wait for a time that is taken",
		Description: "Somebody without an account hears by phone of what is offered; staff-accept-booking accepts it.",
	}, host.WithBody()...), s.deskJoin)
	huma.Register(api, api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-leave-waiting-list", Method: http.MethodDelete, Path: "/staff/waiting-list/{id}", DefaultStatus: http.StatusNoContent,
		Tags:    []string{tagDesk},
		Summary: "Have anybody wait no more",
	}, host.ByID()...), s.deskLeave)
}

// APIEntry is an entry of the waiting list in answers.
type APIEntry struct {
	ID        uuid.UUID  `json:"id"`
	Venue     string     `json:"venue"`
	Place     int        `json:"place,omitempty" doc:"The place wanted; absent if any will do."`
	Attendant string     `json:"attendant,omitempty" doc:"The name of the attendant wanted."`
	Start     time.Time  `json:"start"`
	End       time.Time  `json:"end"`
	Person    string     `json:"person" doc:"The id of the person who waits."`
	JoinedAt  time.Time  `json:"joinedAt"`
	Status    string     `json:"status" enum:"waiting,offered,accepted,left,expired"`
	Booking   *uuid.UUID `json:"booking,omitempty" doc:"The id of the booking that was offered: accept it until its dueAt, or cancel it."`
}

func apiEntryOf(e Entry, attendants map[string][]Attendant, loc *time.Location) APIEntry {
	a := APIEntry{
		ID: e.ID, Venue: e.Venue, Place: e.Place, Start: e.Start.In(loc), End: e.End.In(loc),
		Person: e.Person, JoinedAt: e.JoinedAt.In(loc), Status: string(e.State),
	}
	if e.Booking != uuid.Nil {
		a.Booking = &e.Booking
	}
	if at, ok := (Venue{Attendants: attendants[e.Venue]}).AttendantAt(e.Place); ok {
		a.Attendant = at.Name
	}
	return a
}

type listWaitingOutput struct {
	Body struct {
		Entries []APIEntry `json:"entries"`
	}
}

func (s *service) listWaiting(ctx context.Context, _ *struct{}) (*listWaitingOutput, error) {
	entries, err := s.store.Waiting(ctx, s.reach(ctx))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listWaitingOutput{}
	out.Body.Entries = make([]APIEntry, 0, len(entries))
	for _, e := range entries {
		out.Body.Entries = append(out.Body.Entries, apiEntryOf(e, attendants, s.location()))
	}
	return out, nil
}

type joinWaitingListInput struct {
	Body struct {
		WantedSpan
		ForPerson
	}
}

type entryOutput struct{ Body APIEntry }

func (s *service) joinWaitingList(ctx context.Context, in *joinWaitingListInput) (*entryOutput, error) {
	party, err := s.party(ctx, in.Body.For)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	_, entry, err := s.joined(ctx, in.Body.WantedSpan, party)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &entryOutput{Body: entry}, nil
}

// joined puts a party on the waiting list.
func (s *service) joined(ctx context.Context, in WantedSpan, party Party) (Entry, APIEntry, error) {
	request, err := s.request(ctx, in, "")
	if err != nil {
		return Entry{}, APIEntry{}, err
	}
	e, err := s.store.Join(ctx, s.order(request, party, ""))
	if err != nil {
		return Entry{}, APIEntry{}, err
	}
	attendants, err := s.store.Attendants(ctx)
	return e, apiEntryOf(e, attendants, s.location()), err
}

type entryInput struct {
	ID string `path:"id" format:"uuid" doc:"The entry's id."`
}

func (s *service) leaveWaitingList(ctx context.Context, in *entryInput) (*struct{}, error) {
	return s.left(ctx, in.ID, s.act)
}

// left ends somebody's waiting as the resident's or the staff's act.
func (s *service) left(ctx context.Context, text string, act func(context.Context, uuid.UUID) Act) (*struct{}, error) {
	id, err := parseID(text)
	if err == nil {
		_, err = s.store.Leave(ctx, act(ctx, id))
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

type staffEntry struct {
	APIEntry
	Name  string `json:"name"`
	Phone string `json:"phone,omitempty"`
}

type staffWaitingOutput struct {
	Body struct {
		Date    string       `json:"date" format:"date"`
		Entries []staffEntry `json:"entries"`
	}
}

func (s *service) deskWaiting(ctx context.Context, in *staffDayInput) (*staffWaitingOutput, error) {
	day, err := s.parseDay("query.date", in.Date)
	if err != nil {
		return nil, err
	}
	from, to := day.Bounds(s.location())
	entries, err := s.store.WaitingAt(ctx, from, to)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.look(ctx, Look{what: actionWaitingView, object: day.String(), people: waitingPeople(entries)}); err != nil {
		return nil, s.problem(ctx, err)
	}
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &staffWaitingOutput{}
	out.Body.Date = day.String()
	out.Body.Entries = make([]staffEntry, 0, len(entries))
	for _, e := range entries {
		out.Body.Entries = append(out.Body.Entries, staffEntry{APIEntry: apiEntryOf(e, attendants, s.location()), Name: e.Name, Phone: e.Phone})
	}
	return out, nil
}

type deskJoinInput struct {
	Body struct {
		WantedSpan
		ForSomebody
	}
}

type deskEntryOutput struct{ Body staffEntry }

func (s *service) deskJoin(ctx context.Context, in *deskJoinInput) (*deskEntryOutput, error) {
	if _, err := bodySpan("start", "end", in.Body.Start, in.Body.End); err != nil {
		return nil, err
	}
	party, err := s.somebody(ctx, in.Body.ForSomebody)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	e, entry, err := s.joined(ctx, in.Body.WantedSpan, party)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &deskEntryOutput{Body: staffEntry{APIEntry: entry, Name: e.Name, Phone: e.Phone}}, nil
}

func (s *service) deskLeave(ctx context.Context, in *entryInput) (*struct{}, error) {
	return s.left(ctx, in.ID, s.staffAct)
}
