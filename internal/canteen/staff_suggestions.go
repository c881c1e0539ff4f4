package canteen

import (
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// staffSuggestionsPath is where the staff answer what residents would like.
const staffSuggestionsPath = staffPath + "suggestions/"

// staffSuggestionsView is what residents would like, hidden ones too.
type staffSuggestionsView struct {
	desk
	List []Suggestion
}

func (s *service) staffSuggestionsPage(w http.ResponseWriter, r *http.Request) {
	v := staffSuggestionsView{desk: s.desk(r, staffSuggestionsPath)}
	var err error
	if v.List, err = s.store.Suggestions(r.Context(), "", true); err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffSuggestionsPage(v))
}

// answerView is the form with which the staff answer.
type answerView struct {
	desk
	Suggestion Suggestion
	// State and Text are what was chosen and typed; Version is the one that was
	// seen.
	State, Text string
	Version     int
	Mistakes    map[string]string
}

func (s *service) answerView(r *http.Request) (v answerView, err error) {
	v.desk = s.desk(r, staffSuggestionsPath)
	v.Suggestion, err = s.store.Suggestion(r.Context(), idOf(r.PathValue("id")))
	v.Text, v.Version, v.Mistakes = v.Suggestion.Answer, v.Suggestion.Version, map[string]string{}
	if v.Suggestion.State != SuggestionOpen {
		v.State = string(v.Suggestion.State)
	}
	return v, err
}

func (s *service) answerPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.answerView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, answerPage(v))
}

func (s *service) answerFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.answerView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.State, v.Text = r.PostForm.Get("state"), oneLine(r.PostForm.Get("answer"))
	v.Version = seenVersion(r.PostForm)
	if !slices.Contains(answers, SuggestionState(v.State)) {
		v.Mistakes["state"] = v.T("canteen.suggestion.wrong.state")
		s.pages.Render(w, r, http.StatusUnprocessableEntity, answerPage(v))
		return
	}
	_, err = s.store.Answer(r.Context(), s.by(r.Context()), v.Suggestion.ID, v.Version, SuggestionState(v.State), v.Text)
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		v.Mistakes["answer"] = refusalText(v.View, refusal, "")
		s.pages.Render(w, r, http.StatusUnprocessableEntity, answerPage(v))
	case errors.Is(err, ErrStale):
		v.Version, v.Mistakes[""] = v.Suggestion.Version, v.T("canteen.suggestion.wrong.stale")
		s.pages.Render(w, r, http.StatusConflict, answerPage(v))
	case err != nil:
		s.fail(w, r, err)
	default:
		http.Redirect(w, r, withDone(staffSuggestionsPath, "answered"), http.StatusSeeOther)
	}
}

// authorView is who has suggested something.
type authorView struct {
	desk
	Suggestion Suggestion
	// Person is who it was; without ID if they have left.
	Person identity.Person
}

// authorPage shows who has suggested something. That it is looked at is
// recorded.
func (s *service) authorPage(w http.ResponseWriter, r *http.Request) {
	v := authorView{desk: s.desk(r, staffSuggestionsPath)}
	ctx := r.Context()
	var err error
	if v.Suggestion, err = s.store.Suggestion(ctx, idOf(r.PathValue("id"))); err != nil {
		s.fail(w, r, err)
		return
	}
	author, err := s.store.Author(ctx, s.by(ctx), v.Suggestion.ID)
	if err == nil && author != "" {
		v.Person, err = s.people.Person(ctx, author)
	}
	if err != nil && !errors.Is(err, identity.ErrNobody) {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, authorPage(v))
}

func staffSuggestionURL(id uuid.UUID) string { return staffSuggestionsPath + id.String() }

// answerOptions are what can become of a suggestion.
func answerOptions(v web.View) []web.Option {
	options := make([]web.Option, len(answers))
	for i, a := range answers {
		_, text := suggestionStateText(v, a)
		options[i] = web.Option{Value: string(a), Label: text}
	}
	return options
}
