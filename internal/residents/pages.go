package residents

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	homePath       = "/" + Name + "/"
	correctPath    = homePath + "correct"
	phonePath      = homePath + "phone"
	downloadPath   = homePath + "my-data.json"
	looksPath      = homePath + "looks"
	consentsPath   = homePath + "consents"
	actingPath     = homePath + "acting"
	deletePath     = homePath + "delete"
	invitationPath = homePath + "invitation"
)

// mountPages mounts the residents' pages.
func (s *service) mountPages(mux *host.Router) {
	proven := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.identity.RequireProof(h)) }
	proven("GET "+identity.JoinPath, s.joinPage)
	proven("POST "+identity.JoinPath, s.join)
	proven("POST "+identity.JoinPath+"/ask", s.askToJoin)
	proven("POST "+identity.JoinPath+"/withdraw", s.withdrawJoin)
	proven("GET "+identity.WhichPath, s.whichPage)
	proven("POST "+identity.WhichPath, s.choose)
	proven("GET "+invitationPath, s.invitationPage)
	proven("POST "+invitationPath, s.acceptInvitation)

	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.identity.RequirePerson(h)) }
	personal("GET "+homePath+"{$}", s.mePage)
	personal("GET "+correctPath, s.correctPage)
	personal("POST "+correctPath, s.askToCorrect)
	personal("POST "+correctPath+"/withdraw", s.withdrawCorrection)
	personal("POST "+phonePath, s.takePhone)
	personal("GET "+downloadPath, s.download)
	personal("GET "+looksPath, s.looksPage)
	personal("GET "+consentsPath, s.consentsPage)
	personal("POST "+consentsPath, s.consentFromPage)
	personal("GET "+actingPath, s.actingPage)
	personal("POST "+actingPath+"/offer", s.offerActing)
	personal("POST "+actingPath+"/accept", s.acceptActing)
	personal("POST "+actingPath+"/ask", s.askToAct)
	personal("POST "+actingPath+"/end", s.endActing)
	personal("GET "+deletePath, s.deletePage)
	personal("POST "+deletePath, s.deleteFromPage)
}

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

const (
	// maxFormBytes is far more than a form with the longest note needs.
	maxFormBytes = 16 << 10
	// formOverhead is what a form may add to a file.
	formOverhead = 64 << 10
)

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errBadForm), errors.Is(err, ErrInvalid):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// form reads the form of a request; what cannot be read is answered.
func (s *service) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, errBadForm)
		return false
	}
	return true
}

// withDone is an address that says what was just done.
func withDone(path, done string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.Values{"done": {done}}.Encode()
}

// What pages say was just done, by the name in the address.
var doneTexts = map[string]string{
	"saved": "residents.done.saved", "asked": "residents.done.asked", "phone": "residents.done.phone", "withdrawn": "residents.done.withdrawn",
	"agreed": "residents.done.agreed", "disagreed": "residents.done.disagreed", "acting": "residents.done.acting", "ended": "residents.done.ended",
	"granted": "residents.done.granted", "refused": "residents.done.refused", "away": "residents.done.away", "returned": "residents.done.returned",
	"unlinked": "residents.done.unlinked", "added": "residents.done.added", "deleting": "residents.done.deleting", "paper": "residents.done.paper",
	"dropped": "residents.done.dropped",
}

func done(r *http.Request) string { return doneTexts[r.URL.Query().Get("done")] }

// refusedText says in the reader's words why something was not done; false if
// err is nothing that people can do something about.
func refusedText(v web.View, err error) (string, bool) {
	if o, ok := errors.AsType[Obstacle](err); ok {
		return o.In(v.Lang), true
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return v.T("residents.problem." + p.Rule), true
	}
	for _, known := range []struct {
		err error
		id  string
	}{
		{ErrLinked, "residents.refused.linked"}, {ErrTooOften, "residents.refused.tooOften"}, {ErrOpen, "residents.refused.open"},
		{ErrDecided, "residents.refused.decided"}, {ErrLastManager, "residents.refused.lastManager"}, {ErrManifest, "residents.refused.manifest"},
		{ErrDocumentTooLarge, "residents.refused.scanTooLarge"}, {ErrDocumentType, "residents.refused.scanType"}, {ErrInvalid, "residents.refused.invalid"},
	} {
		if errors.Is(err, known.err) {
			return v.T(known.id), true
		}
	}
	return "", false
}

// detailsForm is a form of what is written down about a person, with what is
// wrong in it.
type detailsForm struct {
	web.View
	Details
	// Note is what was written for the staff.
	Note     string
	Problems []Problem
	// Message is what is wrong with the whole; empty if nothing is.
	Message string
	// Without leaves fields out.
	Without []string
}

// detailsOf is what was typed into a form of details.
func detailsOf(form url.Values) Details {
	return Details{
		Name: form.Get("name"), LatinName: form.Get("latinName"), Phone: form.Get("phone"), BornOn: Date(form.Get("bornOn")),
		Relation: Relation(form.Get("relation")),
		Home:     Home{Estate: form.Get("estate"), Building: form.Get("building"), Unit: form.Get("unit"), Room: form.Get("room")},
	}
}

// mistakes are what an error summary says of the form.
func (f detailsForm) mistakes() []web.FieldError {
	var mistakes []web.FieldError
	if f.Message != "" {
		mistakes = append(mistakes, web.FieldError{Message: f.Message})
	}
	for _, p := range f.Problems {
		mistakes = append(mistakes, web.FieldError{Field: p.Field, Message: f.T("residents.field."+p.Field) + ": " + f.T("residents.problem."+p.Rule)})
	}
	return mistakes
}

func (f detailsForm) mistake(field string) string {
	for _, p := range f.Problems {
		if p.Field == field {
			return f.T("residents.problem." + p.Rule)
		}
	}
	return ""
}

func estateOptions(v web.View) []web.Option {
	options := []web.Option{{Label: v.T("residents.notKnown")}}
	for _, e := range v.Community.Spec.Estates {
		options = append(options, web.Option{Value: e.Name, Label: e.DisplayName})
	}
	return options
}

func relationOptions(v web.View) []web.Option {
	options := []web.Option{{Label: v.T("residents.notKnown")}}
	for _, r := range Relations {
		options = append(options, web.Option{Value: string(r), Label: v.T("residents.relation." + string(r))})
	}
	return options
}

// homeText is a home as people say it.
func homeText(v web.View, h Home) string {
	if h.Estate == "" {
		return ""
	}
	name := h.Estate
	for _, e := range v.Community.Spec.Estates {
		if e.Name == h.Estate {
			name = e.DisplayName
		}
	}
	return strings.Join(strings.Fields(strings.Join([]string{name, h.Building, h.Unit, h.Room}, " ")), " ")
}

// dateText is a date in the reader's words; empty if it is not known.
func dateText(v web.View, d Date) string {
	if d == "" {
		return ""
	}
	return v.Date(d.Noon(v.Location))
}

func scopesIn(v web.View, scopes []identity.Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = v.T("residents.scope." + string(s))
	}
	return strings.Join(texts, v.T("residents.comma"))
}

func scopeOptions(v web.View) []web.Option {
	options := make([]web.Option, len(identity.Scopes))
	for i, s := range identity.Scopes {
		options[i] = web.Option{Value: string(s), Label: v.T("residents.scope." + string(s))}
	}
	return options
}

// scopesIn a form.
func formScopes(form url.Values) []identity.Scope {
	var scopes []identity.Scope
	for _, s := range form["scopes"] {
		scopes = append(scopes, identity.Scope(s))
	}
	return scopes
}

// card is the service's card on the portal.
func (s *service) card(ctx context.Context, v web.View) templ.Component {
	waiting := 0
	p, ok := identity.FromContext(ctx)
	if ok && p.Has(identity.FrontDesk) {
		n, err := s.store.CountOpen(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "card failed", "error", err.Error())
		}
		waiting = n
	}
	return card(v, ok, len(p.Duties) > 0, waiting)
}

// meView is what a person's own page shows.
type meView struct {
	web.View
	Person
	// ProvenPhone is the number with which the reader has signed in, if that
	// is another one than the record's.
	ProvenPhone string
	ActsFor     []Represented
	Requests    []Request
	Staff       bool
	Done        string
}

func (s *service) mePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := meView{View: s.pages.View(r), Person: p, Done: done(r), Staff: len(p.Duties) > 0}
	if proof, ok := identity.ProofFromContext(r.Context()); ok && CleanPhone(proof.Phone) != p.Phone {
		v.ProvenPhone = CleanPhone(proof.Phone)
	}
	if v.ActsFor, err = s.store.ActsFor(r.Context(), p.ID, s.act(r.Context()).Today()); err == nil {
		v.Requests, err = s.store.RequestsOf(r.Context(), "", p.ID)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, mePage(v))
}

// takePhone has the record say the number with which the caller has signed in,
// which proves that it is the caller's.
func (s *service) takePhone(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	proof, _ := identity.ProofFromContext(r.Context())
	if err == nil && proof.Phone == "" {
		err = errBadForm
	}
	if err == nil {
		d := p.Details
		d.Phone = proof.Phone
		_, err = s.store.Change(r.Context(), s.act(r.Context()), p.ID, d)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(homePath, "phone"), http.StatusSeeOther)
}

func (s *service) correctPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, correctPage(detailsForm{View: s.pages.View(r), Details: p.Details, Without: []string{"phone"}}))
}

func (s *service) askToCorrect(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := s.act(r.Context())
	f := detailsForm{View: s.pages.View(r), Details: detailsOf(r.PostForm), Note: r.PostForm.Get("note"), Without: []string{"phone"}}
	if _, f.Problems = Check(f.Details, a.Estates, a.Today()); len(f.Problems) == 0 {
		_, err = s.store.Ask(r.Context(), a, Request{Kind: RequestCorrection, Person: p.ID, Details: f.Details, Note: f.Note})
	}
	if s.formFailed(w, r, err, &f.Message) {
		return
	}
	if len(f.mistakes()) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, correctPage(f))
		return
	}
	http.Redirect(w, r, withDone(homePath, "asked"), http.StatusSeeOther)
}

// formFailed puts into message why a form was not done, if people can do
// something about it; another error is answered, and then it returns true.
func (s *service) formFailed(w http.ResponseWriter, r *http.Request, err error, message *string) bool {
	if err == nil {
		return false
	}
	text, ok := refusedText(s.pages.View(r), err)
	if !ok {
		s.fail(w, r, err)
		return true
	}
	*message = text
	return false
}

func (s *service) withdrawCorrection(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	for _, kind := range []RequestKind{RequestCorrection, RequestActing} {
		if err == nil {
			err = s.store.Withdraw(r.Context(), s.act(r.Context()), kind, "", p.ID)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(homePath, "withdrawn"), http.StatusSeeOther)
}

// download hands over all that the community keeps about the caller.
func (s *service) download(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	data, err := s.ownData(r.Context(), p)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="linli-my-data.json"`)
	w.Header().Set("Cache-Control", "no-store")
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(data); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}

// looksView is who did what about the reader.
type looksView struct {
	web.View
	Looks   []Look
	Missing []string
	// Actions are what actions are called.
	Actions actionNames
}

func (s *service) looksPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := looksView{View: s.pages.View(r), Actions: s.actions}
	v.Looks, v.Missing = s.looks(r.Context(), p)
	s.pages.Render(w, r, http.StatusOK, looksPage(v))
}

// consentsView is what somebody agrees to.
type consentsView struct {
	web.View
	Consents []Consent
	Done     string
}

// standing is the consent for a purpose that stands, if one does.
func (v consentsView) standing(purpose Purpose) *Consent {
	for _, c := range v.Consents {
		if c.Purpose == purpose && c.WithdrawnAt.IsZero() {
			return &c
		}
	}
	return nil
}

func (s *service) consentsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.caller(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := consentsView{View: s.pages.View(r), Done: done(r)}
	if v.Consents, err = s.store.Consents(r.Context(), p.ID); err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, consentsPage(v))
}

func (s *service) consentFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	p, err := s.caller(r.Context())
	said := "agreed"
	if err == nil {
		purpose := Purpose(r.PostForm.Get("purpose"))
		if r.PostForm.Get("agree") == "yes" {
			err = s.store.Consent(r.Context(), s.act(r.Context()), Consent{Person: p.ID, Purpose: purpose, Basis: ConsentPage})
		} else {
			said = "disagreed"
			err = s.store.WithdrawConsent(r.Context(), s.act(r.Context()), p.ID, purpose)
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(consentsPath, said), http.StatusSeeOther)
}

// deleteView is what the page says on which people delete themselves.
type deleteView struct {
	web.View
	Services []string
	Problem  string
}

func (s *service) deletePage(w http.ResponseWriter, r *http.Request) {
	s.pages.Render(w, r, http.StatusOK, deletePage(deleteView{View: s.pages.View(r), Services: s.personal()}))
}

func (s *service) deleteFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v := deleteView{View: s.pages.View(r), Services: s.personal()}
	p, err := s.caller(r.Context())
	if err == nil && r.PostForm.Get("sure") != "yes" {
		v.Problem = v.T("residents.delete.notSure")
	} else if err == nil {
		err = s.beginLeaving(r.Context(), s.act(r.Context()), p.ID)
	}
	if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	if v.Problem != "" {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, deletePage(v))
		return
	}
	if err := s.identity.SignOut(w, r); err != nil {
		s.log.WarnContext(r.Context(), "who was deleted was not signed out", "error", err.Error())
	}
	s.pages.Render(w, r, http.StatusOK, deletedPage(s.pages.View(r)))
}

// noID is the ID of nothing.
var noID = uuid.Nil

func idOf(text string) uuid.UUID { return IDInput{text}.id() }
