package messages

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	inboxPath       = "/" + Name + "/"
	readPath        = inboxPath + "read"
	preferencesPath = inboxPath + "preferences"
	callsPath       = inboxPath + "calls"
)

// inboxPerPage is how many messages a page shows.
const inboxPerPage = 20

// maxNote is how many characters the note about a call may have.
const maxNote = 200

// mountPages mounts the pages: a person's messages, and the front desk's list.
func (s *service) mountPages(mux *host.Router, people *identity.Identity) {
	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, people.RequirePerson(h)) }
	desk := func(pattern string, h http.HandlerFunc) {
		mux.Handle(pattern, people.RequireDuty(identity.FrontDesk, s.pages.Error, h))
	}
	personal("GET "+inboxPath+"{$}", s.inboxPage)
	personal("POST "+readPath, s.readFromPage)
	personal("GET "+preferencesPath, s.preferencesPage)
	personal("POST "+preferencesPath, s.preferFromPage)
	desk("GET "+callsPath, s.callsPage)
	desk("POST "+callsPath+"/{id}", s.calledFromPage)
}

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

// maxFormBytes is far more than a form with the longest note needs.
const maxFormBytes = 16 << 10

// readForm reads the form of a request, or returns errBadForm.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		return nil, errBadForm
	}
	return r.PostForm, nil
}

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errBadForm):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// inboxView is what the page of somebody's messages shows.
type inboxView struct {
	web.View
	Items  []Item
	Unread int
	// Names are those of the people for whom the reader may act, by ID.
	Names map[string]string
	// Older is the page after this one; empty if there is none.
	Older string
	Desk  bool
	Saved bool
}

func (s *service) inboxPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.inbox(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, inboxPage(p))
}

func (s *service) inbox(r *http.Request) (p inboxView, err error) {
	ctx := r.Context()
	reader, _ := identity.FromContext(ctx)
	p = inboxView{View: s.pages.View(r), Desk: reader.Has(identity.FrontDesk), Names: map[string]string{}, Saved: r.URL.Query().Get("done") == "saved"}
	for _, other := range identity.HouseholdFromContext(ctx, identity.Scopes...) {
		p.Names[other.ID] = p.Name(other.Name, other.LatinName)
	}
	after := uuid.Nil
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = uuid.Parse(text); err != nil {
			return p, ErrNotFound
		}
	}
	if p.Items, err = s.store.Inbox(ctx, reader.ID, after, inboxPerPage+1); err != nil {
		return p, err
	}
	if len(p.Items) > inboxPerPage {
		p.Items = p.Items[:inboxPerPage]
		p.Older = inboxPath + "?" + url.Values{"after": {p.Items[inboxPerPage-1].ID.String()}}.Encode()
	}
	p.Unread, err = s.store.Unread(ctx, reader.ID)
	return p, err
}

func (s *service) readFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reader, _ := identity.FromContext(r.Context())
	upTo, err := uuid.Parse(form.Get("upTo"))
	if err != nil {
		s.fail(w, r, errBadForm)
		return
	}
	if err := s.store.Read(r.Context(), reader.ID, upTo, s.clock.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, inboxPath, http.StatusSeeOther)
}

// preferencesView is what the page shows on which somebody chooses how to be
// told.
type preferencesView struct {
	web.View
	Preferences
	// Phone says that a number of theirs is known, SMS that the community sends
	// text messages.
	Phone, SMS bool
}

func (s *service) preferencesPage(w http.ResponseWriter, r *http.Request) {
	reader, _ := identity.FromContext(r.Context())
	p, err := s.store.Preferences(r.Context(), reader.ID)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	_, sms, err := s.gateway()
	if err != nil {
		s.log.ErrorContext(r.Context(), "text messages cannot be sent", "error", err.Error())
	}
	s.pages.Render(w, r, http.StatusOK, preferencesPage(preferencesView{View: s.pages.View(r), Preferences: p, Phone: reader.Phone != "", SMS: sms}))
}

func (s *service) preferFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reader, _ := identity.FromContext(r.Context())
	p := Preferences{Way: Way(form.Get("way")), Language: web.Language(form.Get("language"))}
	if !slices.Contains(Ways, p.Way) || !slices.Contains(web.Languages, p.Language) {
		s.fail(w, r, errBadForm)
		return
	}
	if err := s.store.Prefer(r.Context(), reader.ID, p, s.clock.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, inboxPath+"?done=saved", http.StatusSeeOther)
}

// call is somebody whom the front desk is to tell something.
type call struct {
	Item
	// Called and Number are the person's name and phone number as they are now;
	// Number is empty if none is known.
	Called, Number string
}

// callsView is what the front desk's list shows.
type callsView struct {
	web.View
	Calls []call
	// More is how many there are beside those.
	More int
	// Done is the ID of the message that says what was just done.
	Done string
	// Problem is the ID of the message that says what is wrong with the form
	// of the call with the ID Wrong; Typed is what was typed.
	Problem, Typed string
	Wrong          uuid.UUID
}

// callsDone says what was just done, by the word in the address.
var callsDone = map[string]string{"told": "messages.calls.done.told", "missed": "messages.calls.done.missed"}

func (s *service) callsPage(w http.ResponseWriter, r *http.Request) {
	s.showCalls(w, r, http.StatusOK, callsView{Done: callsDone[r.URL.Query().Get("done")]})
}

func (s *service) showCalls(w http.ResponseWriter, r *http.Request, status int, p callsView) {
	p.View = s.pages.View(r)
	actor, _ := identity.FromContext(r.Context())
	calls, all, err := s.calls(r.Context(), actor.ID, p.View)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Calls, p.More = calls, all-len(calls)
	s.pages.Render(w, r, status, callsPage(p))
}

// calls are whom the front desk is to tell something, and how many in all.
func (s *service) calls(ctx context.Context, actor string, v web.View) (calls []call, all int, err error) {
	items, all, err := s.store.ToCall(ctx, actor, s.clock.Now())
	if err != nil {
		return nil, 0, err
	}
	for _, item := range items {
		c := call{Item: item, Called: item.Name, Number: item.Phone}
		if !item.Guest() {
			known, err := s.people.Lookup(ctx, item.Person)
			if errors.Is(err, identity.ErrNobody) {
				all--
				continue
			}
			if err != nil {
				return nil, 0, err
			}
			c.Called, c.Number = v.Name(known.Person.Name, known.Person.LatinName), known.Person.Phone
		}
		calls = append(calls, c)
	}
	return calls, all, nil
}

func (s *service) calledFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	outcome := form.Get("outcome")
	if _, ok := callsDone[outcome]; !ok {
		s.fail(w, r, errBadForm)
		return
	}
	note := strings.Join(strings.Fields(form.Get("note")), " ")
	if utf8.RuneCountInString(note) > maxNote {
		s.showCalls(w, r, http.StatusUnprocessableEntity, callsView{Problem: "messages.calls.noteTooLong", Typed: note, Wrong: id})
		return
	}
	actor, _ := identity.FromContext(r.Context())
	if err := s.store.Called(r.Context(), actor.ID, id, outcome == "told", note, s.clock.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, callsPath+"?done="+outcome, http.StatusSeeOther)
}

// cardView is what the portal shows of the service.
type cardView struct {
	web.View
	Unread int
	Desk   bool
}

// card is the service's card on the portal.
func (s *service) card(ctx context.Context, v web.View) templ.Component {
	p := cardView{View: v}
	reader, ok := identity.FromContext(ctx)
	if !ok {
		return card(p)
	}
	p.Desk = reader.Has(identity.FrontDesk)
	var err error
	if p.Unread, err = s.store.Unread(ctx, reader.ID); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "card failed", "error", err.Error())
	}
	return card(p)
}
