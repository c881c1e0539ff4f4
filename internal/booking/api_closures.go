package booking

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/google/uuid"
	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/identity"
)

// closureOperations are about closing a venue for a time.
func (s *service) closureOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagClosures}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "list-closures", Method: http.MethodGet, Path: "/staff/closures",
		Summary: "What is closed, now or later",
	}), s.listClosures)
	create := desk(huma.Operation{
		OperationID: "create-closure", Method: http.MethodPost, Path: "/staff/closures", DefaultStatus: http.StatusCreated,
		Summary: "Close a venue, or a place of it, for a time",
		Description: "The bookings meanwhile are cancelled, or moved to another place or a later time where there is one, in the same step. " +
			"The answer lists them with phone numbers, before and after. A dry run changes nothing and is answered with 200.",
	}, host.WithBody()...)
	huma.Register(api, create, s.createClosure)
	dryRunToo(create)
	huma.Register(api, desk(huma.Operation{
		OperationID: "delete-closure", Method: http.MethodDelete, Path: "/staff/closures/{id}", DefaultStatus: http.StatusNoContent,
		Summary:     "Open again before the time",
		Description: "What was cancelled stays cancelled; free places are offered to those who wait. Opening again changes nothing.",
	}, host.ByID()...), s.deleteClosure)
}

type apiClosure struct {
	ID        *uuid.UUID `json:"id,omitempty" doc:"Absent after a dry run."`
	Venue     string     `json:"venue"`
	Place     int        `json:"place,omitempty" doc:"The place that is closed; absent if all are."`
	Attendant string     `json:"attendant,omitempty" doc:"The name of the attendant whose place it is."`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Reason    string     `json:"reason"`
}

func apiClosureOf(c Closure, attendants []Attendant, loc *time.Location) apiClosure {
	a := apiClosure{Venue: c.Venue, Place: c.Place, From: c.Start.In(loc), To: c.End.In(loc), Reason: c.Reason}
	if c.ID != uuid.Nil {
		a.ID = &c.ID
	}
	if at, ok := (Venue{Attendants: attendants}).AttendantAt(c.Place); ok {
		a.Attendant = at.Name
	}
	return a
}

type listClosuresOutput struct {
	Body struct {
		Closures []apiClosure `json:"closures"`
	}
}

func (s *service) listClosures(ctx context.Context, _ *struct{}) (*listClosuresOutput, error) {
	venues, err := s.store.Venues(ctx, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listClosuresOutput{}
	out.Body.Closures = []apiClosure{}
	for _, v := range venues {
		for _, c := range v.Closures {
			out.Body.Closures = append(out.Body.Closures, apiClosureOf(c, v.Attendants, s.location()))
		}
	}
	return out, nil
}

// What is done about the bookings during a closure.
const affectedMove = "Move"

type createClosureInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once, and answered with the closure and its bookings as they are now."`
	Body struct {
		Venue     string    `json:"venue" maxLength:"63" example:"clinic"`
		Place     int       `json:"place,omitempty" minimum:"1" doc:"The place to close; all if left out."`
		Attendant string    `json:"attendant,omitempty" maxLength:"63" doc:"The name of the attendant whose place to close, instead of the place."`
		From      time.Time `json:"from" example:"2026-11-23T13:00:00+08:00"`
		To        time.Time `json:"to" example:"2026-11-23T18:00:00+08:00"`
		Reason    string    `json:"reason" minLength:"1" maxLength:"200" doc:"What residents read."`
		Affected  string    `json:"affected,omitempty" enum:"Cancel,Move" default:"Cancel" doc:"What is done about the bookings meanwhile. Move cancels those for which there is no other place or time within 14 days."`
		DryRun    bool      `json:"dryRun,omitempty" doc:"Only tell what would come of it."`
	}
}

type apiAffected struct {
	Before staffBooking `json:"before"`
	After  staffBooking `json:"after"`
}

type createClosureOutput struct {
	Status int
	Body   struct {
		Closure  apiClosure    `json:"closure"`
		Affected []apiAffected `json:"affected" doc:"The bookings that were cancelled or moved, in order of time."`
	}
}

func (s *service) createClosure(ctx context.Context, in *createClosureInput) (*createClosureOutput, error) {
	span, err := bodySpan("from", "to", in.Body.From, in.Body.To)
	if err != nil {
		return nil, err
	}
	caller, _ := identity.FromContext(ctx)
	place, err := s.placeOf(ctx, in.Body.Venue, in.Body.Place, in.Body.Attendant)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	c, affected, err := s.close(ctx, ClosureOrder{
		Closure: Closure{Venue: in.Body.Venue, Place: place, Slot: span, Reason: in.Body.Reason, By: caller.ID},
		Move:    in.Body.Affected == affectedMove, Try: in.Body.DryRun, Key: in.Key, Now: s.clock.Now(), Location: s.location(),
	})
	if err != nil {
		return nil, s.problem(ctx, unknownAs(err, refuse(RuleUnknownVenue, 0, "there is no venue %q, or no place %d at it", in.Body.Venue, place)))
	}
	return s.closed(ctx, c, affected, in.Body.DryRun)
}

// closed is the answer to closing a venue.
func (s *service) closed(ctx context.Context, c Closure, affected []Affected, dryRun bool) (*createClosureOutput, error) {
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &createClosureOutput{Status: http.StatusCreated}
	if dryRun {
		out.Status, c.ID = http.StatusOK, uuid.Nil
	}
	out.Body.Closure = apiClosureOf(c, attendants[c.Venue], s.location())
	var bookings []Booking
	for _, a := range affected {
		bookings = append(bookings, a.Before, a.After)
	}
	written, err := s.deskBookings(ctx, bookings)
	if err != nil {
		return nil, err
	}
	out.Body.Affected = make([]apiAffected, len(affected))
	for i := range affected {
		out.Body.Affected[i] = apiAffected{Before: written[2*i], After: written[2*i+1]}
	}
	return out, nil
}

type closureInput struct {
	ID string `path:"id" format:"uuid" doc:"The closure's id."`
}

func (s *service) deleteClosure(ctx context.Context, in *closureInput) (*struct{}, error) {
	id, err := parseID(in.ID)
	if err == nil {
		err = s.store.Reopen(ctx, s.staffAct(ctx, id))
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}
