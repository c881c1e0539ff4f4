package canteen

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
)

func (s *service) ratingOperations(a *host.API) {
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "list-ratings-of-order", Method: http.MethodGet, Path: "/orders/{id}/ratings", Tags: []string{tagFeedback},
		Summary: "Read what was said about an order",
	}, host.ByID()...), answer(s, s.listRatingsOfOrder))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "rate-dish", Method: http.MethodPut, Path: "/orders/{id}/ratings/{dish}", Tags: []string{tagFeedback}, DefaultStatus: http.StatusNoContent,
		Summary: "Rate a dish", Description: "Of an order that was handed out, for 7 days. What was said before is replaced.",
	}, host.WithBody(http.StatusNotFound)...), answer(s, s.rateDish))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "take-back-rating", Method: http.MethodDelete, Path: "/orders/{id}/ratings/{dish}", Tags: []string{tagFeedback}, DefaultStatus: http.StatusNoContent,
		Summary: "Take a rating back", Description: "As long as it can be changed.",
	}, host.ByID()...), answer(s, s.takeBackRating))
	huma.Register(a, a.Staff(cooksAndManagers, huma.Operation{
		OperationID: "list-ratings", Method: http.MethodGet, Path: "/staff/ratings", Tags: []string{tagFeedback},
		Summary: "List what was said", Description: "The newest first, without who said it.",
	}, http.StatusUnprocessableEntity), answer(s, s.listRatings))
	huma.Register(a, a.Staff(cooksAndManagers, huma.Operation{
		OperationID: "list-stars-by-month", Method: http.MethodGet, Path: "/staff/ratings/months", Tags: []string{tagFeedback},
		Summary: "Add up stars by month and dish",
	}, http.StatusUnprocessableEntity), answer(s, s.listStarsByMonth))
}

type ratingInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The order's ID."`
	Dish string `path:"dish" maxLength:"64" doc:"The dish's ID."`
}

// read are the IDs of the order and the dish.
func (in ratingInput) read() (order, dish uuid.UUID, err error) {
	if order, err = parseID(in.ID); err != nil {
		return order, dish, err
	}
	dish, err = parseID(in.Dish)
	return order, dish, err
}

type rateDishInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The order's ID."`
	Dish string `path:"dish" maxLength:"64" doc:"The dish's ID."`
	Body struct {
		Stars int    `json:"stars" minimum:"1" maximum:"5"`
		Line  string `json:"line,omitempty" maxLength:"140" doc:"A line more, which only the staff read."`
	}
}

func (s *service) rateDish(ctx context.Context, in *rateDishInput) (*struct{}, error) {
	order, dish, err := ratingInput{in.ID, in.Dish}.read()
	if err != nil {
		return nil, err
	}
	said := Rating{Dish: dish, Stars: in.Body.Stars, Line: strings.Join(strings.Fields(in.Body.Line), " ")}
	return &struct{}{}, s.store.Rate(ctx, s.act(ctx, order), []Rating{said})
}

func (s *service) takeBackRating(ctx context.Context, in *ratingInput) (*struct{}, error) {
	order, dish, err := in.read()
	if err != nil {
		return nil, err
	}
	return &struct{}{}, s.store.Rate(ctx, s.act(ctx, order), []Rating{{Dish: dish}})
}

type apiRating struct {
	Dish  string `json:"dish" format:"uuid"`
	Stars int    `json:"stars"`
	Line  string `json:"line,omitempty"`
}

type ratingsOfOrderOutput struct {
	Body struct {
		Ratings []apiRating `json:"ratings"`
		Until   *time.Time  `json:"until,omitempty" doc:"Until when the order can be rated; left out if it cannot be."`
	}
}

func (s *service) listRatingsOfOrder(ctx context.Context, in *orderInput) (*ratingsOfOrderOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	o, err := s.store.Order(ctx, s.reach(ctx), id)
	if err != nil {
		return nil, err
	}
	ratings, err := s.store.RatingsOf(ctx, s.reach(ctx), id)
	if err != nil {
		return nil, err
	}
	out := &ratingsOfOrderOutput{}
	out.Body.Ratings, out.Body.Until = []apiRating{}, momentIn(rateUntil(o, s.clock.Now()), s.location())
	for _, l := range o.Lines {
		if said, ok := ratings[idOf(l.Dish)]; ok {
			out.Body.Ratings = append(out.Body.Ratings, apiRating{l.Dish, said.Stars, said.Line})
		}
	}
	return out, nil
}

type apiSaid struct {
	APISitting
	Dish  string    `json:"dish" format:"uuid"`
	Stars int       `json:"stars"`
	Line  string    `json:"line,omitempty"`
	At    time.Time `json:"at"`
}

type listRatingsOutput struct {
	Body struct {
		Ratings []apiSaid `json:"ratings"`
	}
}

func (s *service) listRatings(ctx context.Context, in *struct {
	Dish       string `query:"dish" maxLength:"64" doc:"Only what was said about the dish with this ID."`
	Complaints bool   `query:"complaints" doc:"Only ratings of at most 2 stars."`
	Skip       int    `query:"skip" minimum:"0" maximum:"100000" doc:"How many of the newest are passed over."`
}) (*listRatingsOutput, error) {
	f := SaidFilter{Complaints: in.Complaints, Skip: in.Skip, Limit: maxListed}
	if in.Dish != "" {
		var err error
		if f.Dish, err = parseID(in.Dish); err != nil {
			return nil, invalid("query.dish", "this is no ID of a dish")
		}
	}
	all, err := s.store.Said(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listRatingsOutput{}
	out.Body.Ratings = []apiSaid{}
	for _, said := range all {
		out.Body.Ratings = append(out.Body.Ratings, apiSaid{
			APISitting{said.Canteen, said.Day.String(), said.Meal}, said.Dish.String(), said.Stars, said.Line, said.At.In(s.location()),
		})
	}
	return out, nil
}

type apiMonthStars struct {
	Month   string  `json:"month" example:"2026-11"`
	Dish    string  `json:"dish" format:"uuid"`
	Average float64 `json:"average" example:"4.3"`
	Count   int     `json:"count"`
}

type starsByMonthOutput struct {
	Body struct {
		Months []apiMonthStars `json:"months"`
	}
}

func (s *service) listStarsByMonth(ctx context.Context, in *struct {
	From string `query:"from" required:"true" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" maxLength:"7" example:"2026-01" doc:"The first month, YYYY-MM."`
	To   string `query:"to" required:"true" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" maxLength:"7" example:"2026-12" doc:"The last month, YYYY-MM."`
}) (*starsByMonthOutput, error) {
	rows, err := s.store.StarsByMonth(ctx, civil.Month(in.From), civil.Month(in.To), uuid.Nil)
	if err != nil {
		return nil, err
	}
	out := &starsByMonthOutput{}
	out.Body.Months = []apiMonthStars{}
	for _, row := range rows {
		out.Body.Months = append(out.Body.Months, apiMonthStars{string(row.Month), row.Dish.String(), float64(row.Average()) / 10, row.Ratings})
	}
	return out, nil
}
