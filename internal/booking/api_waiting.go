package booking

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// waitingOperations are about waiting for what is taken.
func (s *service) waitingOperations(o operations) {
	huma.Register(o.api, o.personal(huma.Operation{
		OperationID: "list-waiting", Method: http.MethodGet, Path: "/waiting-list",
		Tags:    []string{tagWaiting},
		Summary: "What one waits for, or is offered, the earliest start first",
	}), s.listWaiting)
	huma.Register(o.api, o.personal(huma.Operation{
		OperationID: "join-waiting-list", Method: http.MethodPost, Path: "/waiting-list", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagWaiting},
		Summary:     "Wait for a time that is taken",
		Description: "Refused with the rule still-free while it can be booked. Waiting again for the same is answered with the entry there is.",
	}, withBody(http.StatusForbidden)...), s.joinWaitingList)
	huma.Register(o.api, o.personal(huma.Operation{
		OperationID: "leave-waiting-list", Method: http.MethodDelete, Path: "/waiting-list/{id}", DefaultStatus: http.StatusNoContent,
		Tags:        []string{tagWaiting},
		Summary:     "Wait no more",
		Description: "An offer is declined with it. Leaving again changes nothing.",
	}, byID()...), s.leaveWaitingList)
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
	request, err := s.request(ctx, in.Body.WantedSpan, "")
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	e, err := s.store.Join(ctx, s.order(request, party, ""))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &entryOutput{Body: apiEntryOf(e, attendants, s.location())}, nil
}

type entryInput struct {
	ID string `path:"id" format:"uuid" doc:"The entry's id."`
}

func (s *service) leaveWaitingList(ctx context.Context, in *entryInput) (*struct{}, error) {
	id, err := parseID(in.ID)
	if err == nil {
		_, err = s.store.Leave(ctx, s.act(ctx, id))
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}
