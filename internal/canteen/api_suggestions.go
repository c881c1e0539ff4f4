package canteen

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"
)

func (s *service) suggestionOperations(a *host.API) {
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "list-suggestions", Method: http.MethodGet, Path: "/suggestions", Tags: []string{tagFeedback},
		Summary: "List what residents would like", Description: "Those that one can vote for first, most votes first.",
	}), answer(s, func(ctx context.Context, _ *struct{}) (*suggestionsOutput, error) {
		return s.listSuggestions(ctx, s.by(ctx).Actor, false)
	}))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "suggest", Method: http.MethodPost, Path: "/suggestions", Tags: []string{tagFeedback}, DefaultStatus: http.StatusCreated,
		Summary: "Say what one would like", Description: "At most three suggestions of one person wait for an answer.",
	}, host.WithBody()...), answer(s, s.suggest))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "take-back-suggestion", Method: http.MethodDelete, Path: "/suggestions/{id}", Tags: []string{tagFeedback}, DefaultStatus: http.StatusNoContent,
		Summary: "Take one's own suggestion back", Description: "As long as it was not answered.",
	}, host.ByID()...), answer(s, func(ctx context.Context, in *suggestionInput) (*struct{}, error) {
		return &struct{}{}, s.store.TakeBack(ctx, s.by(ctx), idOf(in.ID))
	}))
	for _, op := range []struct {
		name, method, summary string
		like                  bool
	}{{"vote", http.MethodPut, "Vote for a suggestion", true}, {"take-back-vote", http.MethodDelete, "Take one's vote back", false}} {
		huma.Register(a, a.Personal(huma.Operation{
			OperationID: op.name, Method: op.method, Path: "/suggestions/{id}/vote", Tags: []string{tagFeedback}, DefaultStatus: http.StatusNoContent,
			Summary: op.summary, Description: "Everybody has one vote for each suggestion of somebody else's.",
		}, host.ByID()...), answer(s, func(ctx context.Context, in *suggestionInput) (*struct{}, error) {
			return &struct{}{}, s.store.Vote(ctx, s.by(ctx), idOf(in.ID), op.like)
		}))
	}
	huma.Register(a, a.Staff(cooksAndManagers, huma.Operation{
		OperationID: "list-all-suggestions", Method: http.MethodGet, Path: "/staff/suggestions", Tags: []string{tagFeedback},
		Summary: "List what residents would like, hidden suggestions too",
	}), answer(s, func(ctx context.Context, _ *struct{}) (*suggestionsOutput, error) {
		return s.listSuggestions(ctx, "", true)
	}))
	huma.Register(a, a.Staff(cooksAndManagers, huma.Operation{
		OperationID: "answer-suggestion", Method: http.MethodPut, Path: "/staff/suggestions/{id}/answer", Tags: []string{tagFeedback},
		Summary: "Answer a suggestion", Description: "Its author is told. To decline or hide it, say why.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.answerSuggestion))
	huma.Register(a, a.Staff(managers, huma.Operation{
		OperationID: "get-author-of-suggestion", Method: http.MethodGet, Path: "/staff/suggestions/{id}/author", Tags: []string{tagFeedback},
		Summary: "See who made a suggestion", Description: "That you looked is recorded, and the author can see it.",
	}, host.ByID()...), answer(s, func(ctx context.Context, in *suggestionInput) (*authorOutput, error) {
		out := &authorOutput{}
		var err error
		out.Body.Person, err = s.store.Author(ctx, s.by(ctx), idOf(in.ID))
		return out, err
	}))
}

type suggestionInput struct {
	ID string `path:"id" maxLength:"64" doc:"The suggestion's ID."`
}

type apiSuggestion struct {
	ID      string          `json:"id" format:"uuid"`
	Title   string          `json:"title"`
	Text    string          `json:"text,omitempty"`
	State   SuggestionState `json:"state" enum:"Open,Planned,Cooked,Declined,Hidden"`
	Answer  string          `json:"answer,omitempty" doc:"What the staff say to it."`
	Votes   int             `json:"votes" doc:"How many others would like it."`
	Mine    bool            `json:"mine" doc:"It is the caller's own."`
	Voted   bool            `json:"voted" doc:"The caller has voted for it."`
	Version int             `json:"version" doc:"Rises with every answer."`
	// CreatedAt is when it was made.
	CreatedAt  time.Time  `json:"createdAt"`
	AnsweredAt *time.Time `json:"answeredAt,omitempty"`
}

func (s *service) apiSuggestionOf(one Suggestion) apiSuggestion {
	return apiSuggestion{
		ID: one.ID.String(), Title: one.Title, Text: one.Text, State: one.State, Answer: one.Answer, Votes: one.Votes, Mine: one.Mine, Voted: one.Voted,
		Version: one.Version, CreatedAt: one.CreatedAt.In(s.location()), AnsweredAt: momentIn(one.AnsweredAt, s.location()),
	}
}

type suggestionOutput struct{ Body apiSuggestion }

type suggestionsOutput struct {
	Body struct {
		Suggestions []apiSuggestion `json:"suggestions"`
	}
}

type authorOutput struct {
	Body struct {
		Person string `json:"person" doc:"The author's ID; empty if they have left."`
	}
}

func (s *service) listSuggestions(ctx context.Context, reader string, hidden bool) (*suggestionsOutput, error) {
	list, err := s.store.Suggestions(ctx, reader, hidden)
	if err != nil {
		return nil, err
	}
	out := &suggestionsOutput{}
	out.Body.Suggestions = []apiSuggestion{}
	for _, one := range list {
		out.Body.Suggestions = append(out.Body.Suggestions, s.apiSuggestionOf(one))
	}
	return out, nil
}

func (s *service) suggest(ctx context.Context, in *struct {
	Body struct {
		Title string `json:"title" minLength:"1" maxLength:"40"`
		Text  string `json:"text,omitempty" maxLength:"200"`
	}
}) (*suggestionOutput, error) {
	made, err := s.store.Suggest(ctx, s.by(ctx), oneLine(in.Body.Title), oneLine(in.Body.Text))
	return &suggestionOutput{s.apiSuggestionOf(made)}, err
}

func (s *service) answerSuggestion(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64" doc:"The suggestion's ID."`
	Body struct {
		State   SuggestionState `json:"state" enum:"Planned,Cooked,Declined,Hidden"`
		Answer  string          `json:"answer,omitempty" maxLength:"200" doc:"Residents read it."`
		Version int             `json:"version" minimum:"1" doc:"The version that was read."`
	}
}) (*suggestionOutput, error) {
	one, err := s.store.Answer(ctx, s.by(ctx), idOf(in.ID), in.Body.Version, in.Body.State, oneLine(in.Body.Answer))
	return &suggestionOutput{s.apiSuggestionOf(one)}, err
}
