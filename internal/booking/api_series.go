package booking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/google/uuid"
	"github.com/linli-io/linli/internal/host"
)

// seriesOperations are about bookings that repeat every week.
func (s *service) seriesOperations(api *host.API) {
	create := api.Personal(huma.Operation{
		OperationID: "create-series", Method: http.MethodPost, Path: "/series", DefaultStatus: http.StatusCreated,
		Tags:    []string{tagSeries},
		Summary: "Book the same time every week until a day",
		Description: "At the same time on the clock, for at most 53 weeks. Weeks that cannot be booked are left out, or nothing is booked, as conflicts says. " +
			"If nothing is booked the answer is 409 with the weeks and what stands in their way. A dry run books nothing and is answered with 200.",
	}, host.WithBody(http.StatusForbidden, http.StatusConflict)...)
	huma.Register(api, create, s.createSeries)
	dryRunToo(create)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "get-series", Method: http.MethodGet, Path: "/series/{id}",
		Tags:    []string{tagSeries},
		Summary: "The bookings of a series, the earliest first",
	}, host.ByID()...), s.getSeries)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "cancel-series", Method: http.MethodDelete, Path: "/series/{id}",
		Tags:        []string{tagSeries},
		Summary:     "Cancel what is ahead of a series",
		Description: "What may not be cancelled any more stays. The answer has what was cancelled now.",
	}, host.ByID()...), s.cancelSeries)
	staff := api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-create-series", Method: http.MethodPost, Path: "/staff/series", DefaultStatus: http.StatusCreated,
		Tags:        []string{tagDesk},
		Summary:     "Book the same time every week for somebody, who need not have an account",
		Description: "As create-series, by the rules of staff-create-booking.",
	}, host.WithBody(http.StatusConflict)...)
	huma.Register(api, staff, s.deskCreateSeries)
	dryRunToo(staff)
	huma.Register(api, api.Staff(frontDesk, huma.Operation{
		OperationID: "staff-cancel-series", Method: http.MethodDelete, Path: "/staff/series/{id}",
		Tags:    []string{tagDesk},
		Summary: "Cancel what is ahead of anybody's series",
	}, host.ByID()...), s.deskCancelSeries)
}

// dryRunToo documents the answer to a dry run: that of success, with 200.
func dryRunToo(op huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "What would come of it: a dry run", Content: op.Responses["201"].Content}
}

// What is done about weeks that cannot be booked.
const conflictsRefuse = "Refuse"

// WantedSeries is in bodies what is wanted every week.
type WantedSeries struct {
	WantedSpan
	Until     string `json:"until" format:"date" example:"2026-12-21" doc:"The last day on which it may be, in the community's time zone."`
	Conflicts string `json:"conflicts,omitempty" enum:"Skip,Refuse" default:"Skip" doc:"Skip leaves out the weeks that cannot be booked; Refuse books nothing if there is one."`
	DryRun    bool   `json:"dryRun,omitempty" doc:"Only tell what would come of it."`
	Note      string `json:"note,omitempty" maxLength:"500"`
}

// SeriesKey is the header by which a series is booked once.
type SeriesKey struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once, and answered with the bookings there are of it."`
}

type createSeriesInput struct {
	SeriesKey
	Body struct {
		WantedSeries
		ForPerson
	}
}

type deskCreateSeriesInput struct {
	SeriesKey
	Body struct {
		WantedSeries
		ForSomebody
	}
}

// apiWeek is a week of a series and what came of it.
type apiWeek struct {
	Start   time.Time  `json:"start"`
	End     time.Time  `json:"end"`
	Booking *uuid.UUID `json:"booking,omitempty" doc:"The id of what was booked."`
	Free    bool       `json:"free" doc:"It was booked, or could be."`
	Rule    string     `json:"rule,omitempty" doc:"The rule by which it cannot be booked."`
	Detail  string     `json:"detail,omitempty" doc:"Why it cannot be booked."`
}

type createSeriesOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     struct {
		ID    *uuid.UUID `json:"id,omitempty" doc:"The id of the series; absent after a dry run."`
		Weeks []apiWeek  `json:"weeks"`
	}
}

func (s *service) createSeries(ctx context.Context, in *createSeriesInput) (*createSeriesOutput, error) {
	party, err := s.party(ctx, in.Body.For)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.createdSeries(ctx, in.Body.WantedSeries, party, in.Key)
}

func (s *service) deskCreateSeries(ctx context.Context, in *deskCreateSeriesInput) (*createSeriesOutput, error) {
	party, err := s.somebody(ctx, in.Body.ForSomebody)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return s.createdSeries(ctx, in.Body.WantedSeries, party, in.Key)
}

// createdSeries books a series for a party; its errors are problems.
func (s *service) createdSeries(ctx context.Context, in WantedSeries, party Party, key string) (*createSeriesOutput, error) {
	if _, err := bodySpan("start", "end", in.Start, in.End); err != nil {
		return nil, err
	}
	until, err := s.parseDay("body.until", in.Until)
	if err != nil {
		return nil, err
	}
	request, err := s.request(ctx, in.WantedSpan, in.Note)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	id, made, err := s.bookSeries(ctx, SeriesOrder{
		Order: s.order(request, party, key),
		Until: until, AllOrNothing: in.Conflicts == conflictsRefuse, Try: in.DryRun,
	})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	weeks := make([]apiWeek, len(made))
	for i, week := range made {
		weeks[i] = apiWeekOf(week, s.location())
	}
	out := &createSeriesOutput{Status: http.StatusCreated}
	out.Body.Weeks = weeks
	switch {
	case in.DryRun:
		out.Status = http.StatusOK
	case id == uuid.Nil:
		refused := host.NewProblem(http.StatusConflict, ruleSeriesConflict, "Nothing was booked: weeks has what stands in the way of which.")
		return nil, &Problem{Problem: *refused, Weeks: weeks}
	default:
		out.Body.ID, out.Location = &id, apiPath+"/series/"+id.String()
	}
	return out, nil
}

func apiWeekOf(week Occurrence, loc *time.Location) apiWeek {
	a := apiWeek{Start: week.Start.In(loc), End: week.End.In(loc), Free: week.Err == nil}
	if week.Booking.ID != uuid.Nil {
		a.Booking = &week.Booking.ID
	}
	if refusal, ok := errors.AsType[*Refusal](week.Err); ok {
		a.Rule, a.Detail = string(refusal.Rule), refusal.Text
	} else if week.Err != nil {
		a.Detail = takenText
	}
	return a
}

type seriesInput struct {
	ID string `path:"id" format:"uuid" doc:"The id of the series."`
}

type seriesOutput struct {
	Body struct {
		ID       uuid.UUID    `json:"id"`
		Bookings []APIBooking `json:"bookings"`
	}
}

func (s *service) getSeries(ctx context.Context, in *seriesInput) (*seriesOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	bookings, err := s.store.InSeries(ctx, s.reach(ctx), id)
	if err == nil && len(bookings) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &seriesOutput{}
	out.Body.ID = id
	out.Body.Bookings, err = s.apiBookings(ctx, bookings)
	return out, err
}

type cancelSeriesOutput struct {
	Body struct {
		Cancelled []APIBooking `json:"cancelled"`
	}
}

func (s *service) cancelSeries(ctx context.Context, in *seriesInput) (*cancelSeriesOutput, error) {
	return s.cancelledSeries(ctx, in.ID, s.act)
}

func (s *service) deskCancelSeries(ctx context.Context, in *seriesInput) (*cancelSeriesOutput, error) {
	return s.cancelledSeries(ctx, in.ID, s.staffAct)
}

// cancelledSeries cancels a series as the resident's or the staff's act.
func (s *service) cancelledSeries(ctx context.Context, text string, act func(context.Context, uuid.UUID) Act) (*cancelSeriesOutput, error) {
	id, err := parseID(text)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	cancelled, err := s.cancelAhead(ctx, act(ctx, id))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &cancelSeriesOutput{}
	out.Body.Cancelled, err = s.apiBookings(ctx, cancelled)
	return out, err
}
