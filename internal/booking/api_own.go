package booking

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/identity"
)

// ownOperations are about the caller: their people and their calendar.
func (s *service) ownOperations(api *host.API) {
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "list-people", Method: http.MethodGet, Path: "/people",
		Tags:    []string{tagOwn},
		Summary: "For whom one may book: oneself, a parent, a child",
	}), s.listPeople)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "get-calendar-feed", Method: http.MethodGet, Path: "/calendar-feed",
		Tags:        []string{tagOwn},
		Summary:     "Whether there is an address at which a calendar fetches one's bookings",
		Description: "The address itself is told once, when it is made.",
	}, http.StatusNotFound), s.getFeed)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "make-calendar-feed", Method: http.MethodPut, Path: "/calendar-feed",
		Tags:        []string{tagOwn},
		Summary:     "Make a secret address at which a calendar fetches one's bookings",
		Description: "Everybody who knows the address can read there when one has booked and where. It is told only now; the one before is worth nothing any more.",
	}, http.StatusUnprocessableEntity), s.makeFeed)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "revoke-calendar-feed", Method: http.MethodDelete, Path: "/calendar-feed", DefaultStatus: http.StatusNoContent,
		Tags:        []string{tagOwn},
		Summary:     "Make the calendar's address worth nothing",
		Description: "Revoking again changes nothing.",
	}), s.revokeFeed)
}

type apiPerson struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	LatinName string `json:"latinName,omitempty"`
	Self      bool   `json:"self" doc:"The caller."`
}

type listPeopleOutput struct {
	Body struct {
		People []apiPerson `json:"people"`
	}
}

func (s *service) listPeople(ctx context.Context, _ *struct{}) (*listPeopleOutput, error) {
	out := &listPeopleOutput{}
	for i, p := range s.household(ctx) {
		out.Body.People = append(out.Body.People, apiPerson{ID: p.ID, Name: p.Name, LatinName: p.LatinName, Self: i == 0})
	}
	return out, nil
}

type apiFeed struct {
	Address   string    `json:"address,omitempty" format:"uri" doc:"The secret address. Only the answer that makes it has it."`
	Language  string    `json:"language" enum:"zh-CN,en"`
	CreatedAt time.Time `json:"createdAt"`
}

type feedOutput struct{ Body apiFeed }

func (s *service) getFeed(ctx context.Context, _ *struct{}) (*feedOutput, error) {
	caller, _ := identity.FromContext(ctx)
	f, err := s.store.FeedOf(ctx, caller.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &feedOutput{Body: apiFeed{Language: f.Language, CreatedAt: f.CreatedAt.In(s.location())}}, nil
}

type makeFeedInput struct {
	Language string `query:"language" enum:"zh-CN,en" default:"zh-CN" doc:"The language of the calendar."`
}

func (s *service) makeFeed(ctx context.Context, in *makeFeedInput) (*feedOutput, error) {
	caller, _ := identity.FromContext(ctx)
	f := Feed{Person: caller.ID, Language: in.Language, CreatedAt: time.Unix(s.clock.Now().Unix(), 0)}
	secret, err := s.store.NewFeed(ctx, f)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &feedOutput{Body: apiFeed{
		Address:  s.site() + calendarPath + "/" + secret + icsSuffix,
		Language: f.Language, CreatedAt: f.CreatedAt.In(s.location()),
	}}, nil
}

func (s *service) revokeFeed(ctx context.Context, _ *struct{}) (*struct{}, error) {
	caller, _ := identity.FromContext(ctx)
	if err := s.store.RevokeFeed(ctx, caller.ID); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}
