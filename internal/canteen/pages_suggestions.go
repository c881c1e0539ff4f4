package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// suggestionsPath is where residents say what they would like.
const suggestionsPath = homePath + "suggestions"

// mountSuggestions mounts the residents' pages about what they would like.
func (s *service) mountSuggestions(mux *host.Router, people *identity.Identity) {
	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, people.RequirePerson(h)) }
	personal("GET "+suggestionsPath, s.suggestionsPage)
	personal("GET "+suggestionsPath+"/new", s.newSuggestionPage)
	personal("POST "+suggestionsPath+"/new", s.suggestFromPage)
	personal("POST "+suggestionsPath+"/{id}/vote", s.voteFromPage(true))
	personal("POST "+suggestionsPath+"/{id}/unvote", s.voteFromPage(false))
	personal("POST "+suggestionsPath+"/{id}/take-back", s.takeBackFromPage)
}

// suggestionsView is what residents would like to be cooked.
type suggestionsView struct {
	// Live are those that one can vote for, Ended the others.
	Live, Ended []Suggestion
	// Done is what was just done; Problem why it was not.
	Done, Problem string
}

// suggestionDone are what the page says was just done, by the name in its
// address.
var suggestionDone = map[string]string{
	"suggested": "canteen.suggestion.done.suggested", "takenBack": "canteen.suggestion.done.takenBack",
}

func (s *service) suggestionsPage(w http.ResponseWriter, r *http.Request) {
	s.showSuggestions(w, r, http.StatusOK, nil)
}

// showSuggestions shows the list, with why something was not done, if it was not.
func (s *service) showSuggestions(w http.ResponseWriter, r *http.Request, status int, refusal *Refusal) {
	v := s.pages.View(r)
	list, err := s.store.Suggestions(r.Context(), s.by(r.Context()).Actor, false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var p suggestionsView
	if id := suggestionDone[r.URL.Query().Get("done")]; id != "" {
		p.Done = v.T(id)
	}
	if refusal != nil {
		p.Problem = refusalText(v, refusal, "")
	}
	for _, one := range list {
		if one.State.Live() {
			p.Live = append(p.Live, one)
		} else {
			p.Ended = append(p.Ended, one)
		}
	}
	s.pages.Render(w, r, status, suggestionsPage(v, p))
}

// suggestionView is the form of a new suggestion.
type suggestionView struct {
	Title, Text string
	Mistakes    map[string]string
}

func (s *service) newSuggestionPage(w http.ResponseWriter, r *http.Request) {
	s.pages.Render(w, r, http.StatusOK, newSuggestionPage(s.pages.View(r), suggestionView{}))
}

func (s *service) suggestFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := suggestionView{Title: oneLine(form.Get("title")), Text: oneLine(form.Get("text")), Mistakes: map[string]string{}}
	_, err = s.store.Suggest(r.Context(), s.by(r.Context()), p.Title, p.Text)
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		v := s.pages.View(r)
		p.Mistakes[map[Rule]string{RuleTitle: "title", RuleText: "text"}[refusal.Rule]] = refusalText(v, refusal, "")
		s.pages.Render(w, r, statusOf(refusal), newSuggestionPage(v, p))
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(suggestionsPath, "suggested"), http.StatusSeeOther)
}

func (s *service) voteFromPage(like bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := idOf(r.PathValue("id"))
		s.suggestionChanged(w, r, suggestionsPath+"#s-"+url.PathEscape(id.String()), func(ctx context.Context, by By) error {
			return s.store.Vote(ctx, by, id, like)
		})
	}
}

func (s *service) takeBackFromPage(w http.ResponseWriter, r *http.Request) {
	s.suggestionChanged(w, r, withDone(suggestionsPath, "takenBack"), func(ctx context.Context, by By) error {
		return s.store.TakeBack(ctx, by, idOf(r.PathValue("id")))
	})
}

// suggestionChanged does what a button at a suggestion does, and leads on.
func (s *service) suggestionChanged(w http.ResponseWriter, r *http.Request, to string, change func(ctx context.Context, by By) error) {
	err := change(r.Context(), s.by(r.Context()))
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		s.showSuggestions(w, r, http.StatusConflict, refusal)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// suggestionStateText is what has become of a suggestion.
func suggestionStateText(v web.View, state SuggestionState) (web.Tone, string) {
	tone := web.Info
	switch state {
	case SuggestionPlanned, SuggestionCooked:
		tone = web.Success
	case SuggestionHidden:
		tone = web.Warning
	}
	return tone, v.T("canteen.suggestion.state." + string(state))
}

// suggestionURL is where a suggestion is voted for or taken back.
func suggestionURL(id uuid.UUID, what string) string {
	return suggestionsPath + "/" + id.String() + "/" + what
}
