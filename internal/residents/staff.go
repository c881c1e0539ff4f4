package residents

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the staff's pages.
const (
	staffPath         = homePath + "staff/"
	staffPeoplePath   = staffPath + "people/"
	staffExportPath   = staffPath + "people.csv"
	staffNewPath      = staffPath + "new"
	staffPapersPath   = staffPath + "papers"
	staffRequestsPath = staffPath + "requests"
	staffImportPath   = staffPath + "import"
	staffTemplatePath = staffPath + "template."
	staffDutiesPath   = staffPath + "duties"
	staffAuditPath    = staffPath + "audit"
)

// staffRoute is a page of the staff, or what one of its forms does.
type staffRoute struct {
	duty    identity.Duty
	pattern string
	handle  http.HandlerFunc
}

// staffRoutes are all routes of the staff's pages.
func (s *service) staffRoutes() []staffRoute {
	return []staffRoute{
		{identity.FrontDesk, "GET " + staffPeoplePath + "{$}", s.peoplePage},
		{identity.FrontDesk, "GET " + staffExportPath, s.exportPeople},
		{identity.FrontDesk, "GET " + staffNewPath, s.newPage},
		{identity.FrontDesk, "POST " + staffNewPath, s.addFromPage},
		{identity.FrontDesk, "GET " + staffPeoplePath + "{id}", s.personPage},
		{identity.FrontDesk, "GET " + staffPeoplePath + "{id}/edit", s.editPage},
		{identity.FrontDesk, "POST " + staffPeoplePath + "{id}/edit", s.editFromPage},
		{identity.FrontDesk, "POST " + staffPeoplePath + "{id}/away", s.awayFromPage},
		{identity.FrontDesk, "POST " + staffPeoplePath + "{id}/unlink", s.unlinkFromPage},
		{identity.FrontDesk, "POST " + staffPeoplePath + "{id}/end-acting", s.endActingAtDesk},
		{identity.FrontDesk, "POST " + staffPeoplePath + "{id}/withdraw-consent", s.withdrawConsentAtDesk},
		{identity.FrontDesk, "POST " + staffPapersPath, s.paperFromPage},
		{identity.FrontDesk, "GET " + staffPapersPath + "/{id}", s.paper},
		{identity.Manager, "GET " + staffPeoplePath + "{id}/delete", s.staffDeletePage},
		{identity.Manager, "POST " + staffPeoplePath + "{id}/delete", s.staffDelete},
		{identity.FrontDesk, "GET " + staffRequestsPath, s.requestsPage},
		{identity.FrontDesk, "POST " + staffRequestsPath, s.grantFromPage},
		{identity.FrontDesk, "GET " + staffRequestsPath + "/{id}/refuse", s.refusePage},
		{identity.FrontDesk, "POST " + staffRequestsPath + "/{id}/refuse", s.refuseFromPage},
		{identity.FrontDesk, "GET " + staffImportPath, s.importPage},
		{identity.FrontDesk, "POST " + staffImportPath, s.readImport},
		{identity.FrontDesk, "GET " + staffImportPath + "/{id}", s.draftPage},
		{identity.FrontDesk, "POST " + staffImportPath + "/{id}", s.confirmImport},
		{identity.FrontDesk, "POST " + staffImportPath + "/{id}/drop", s.dropImport},
		{identity.FrontDesk, "GET " + staffTemplatePath + "csv", s.templateCSV},
		{identity.FrontDesk, "GET " + staffTemplatePath + "xlsx", s.templateXLSX},
		{identity.Manager, "GET " + staffDutiesPath, s.dutiesPage},
		{identity.Manager, "POST " + staffDutiesPath, s.addExternal},
		{identity.Manager, "GET " + staffDutiesPath + "/{id}", s.dutyPage},
		{identity.Manager, "POST " + staffDutiesPath + "/{id}", s.setDutiesFromPage},
		{identity.Manager, "POST " + staffDutiesPath + "/{id}/invite", s.inviteFromPage},
		{identity.DataProtection, "GET " + staffAuditPath, s.auditPage},
		{identity.DataProtection, "GET " + staffAuditPath + ".csv", s.auditFile},
	}
}

func (s *service) mountStaff(mux *host.Router) {
	mux.Handle("GET "+staffPath+"{$}", s.identity.RequirePerson(http.HandlerFunc(s.staffHome)))
	for _, route := range s.staffRoutes() {
		mux.Handle(route.pattern, s.identity.RequireDuty(route.duty, s.pages.Error, route.handle))
	}
}

// staffHome leads staff to the first page that is for them; who has duties but
// has not signed in as staff do is asked to.
func (s *service) staffHome(w http.ResponseWriter, r *http.Request) {
	p, _ := identity.FromContext(r.Context())
	proof, _ := identity.ProofFromContext(r.Context())
	for _, way := range []struct {
		duty identity.Duty
		path string
	}{{identity.FrontDesk, staffPeoplePath}, {identity.Manager, staffDutiesPath}, {identity.DataProtection, staffAuditPath}} {
		if p.Has(way.duty) {
			http.Redirect(w, r, way.path, http.StatusSeeOther)
			return
		}
		if slices.Contains(proof.Withheld, way.duty) {
			http.Redirect(w, r, identity.SignInPath+"?"+url.Values{"return": {staffPath}, "staff": {"true"}}.Encode(), http.StatusSeeOther)
			return
		}
	}
	s.pages.Error(w, r, http.StatusForbidden)
}

// desk is what every page of the staff knows.
type desk struct {
	web.View
	// Page is the path of the page's tab.
	Page string
	Me   identity.Person
	// Requests is how many requests wait for an answer.
	Requests int
	// Done is the id of the message about what was just done; Problem is what
	// was not done, and why, and Field the one that is to blame, if it is one.
	Done, Problem, Field string
}

// mistake is what is wrong with a field; empty if nothing is.
func (d desk) mistake(field string) string {
	if d.Field != field {
		return ""
	}
	return d.Problem
}

// desk prepares a page that belongs to the tab with a path.
func (s *service) desk(r *http.Request, page string) (desk, error) {
	d := desk{View: s.pages.View(r), Page: page, Done: done(r)}
	d.Me, _ = identity.FromContext(r.Context())
	var err error
	if d.Me.Has(identity.FrontDesk) {
		d.Requests, err = s.store.CountOpen(r.Context())
	}
	return d, err
}

// tabs lead to the staff's pages.
func (d desk) tabs() []web.Tab {
	var tabs []web.Tab
	add := func(duty identity.Duty, label, href string) {
		if d.Me.Has(duty) {
			tabs = append(tabs, web.Tab{Label: label, Href: href, Current: href == d.Page})
		}
	}
	requests := d.T("residents.staff.tab.requests")
	if d.Requests > 0 {
		requests = d.T("residents.staff.tab.requestsWaiting", "Count", d.Requests)
	}
	add(identity.FrontDesk, d.T("residents.staff.tab.people"), staffPeoplePath)
	add(identity.FrontDesk, requests, staffRequestsPath)
	add(identity.FrontDesk, d.T("residents.staff.tab.import"), staffImportPath)
	add(identity.Manager, d.T("residents.staff.tab.duties"), staffDutiesPath)
	add(identity.DataProtection, d.T("residents.staff.tab.audit"), staffAuditPath)
	return tabs
}

// peopleView is what the list of people shows.
type peopleView struct {
	desk
	Query string
	Filter
	People []Person
	// First is the number of the first that is shown, counted from 1, of All.
	First, All int
	// Found says that the list is what the query finds.
	Found bool
}

// perPage is how many people a page lists.
const perPage = 50

func filterOf(query url.Values) Filter {
	return Filter{Estate: query.Get("estate"), Building: Clean(query.Get("building")), Away: query.Get("away") == "true"}
}

func (v peopleView) address(path string, skip int) string {
	q := url.Values{"estate": {v.Estate}, "building": {v.Building}}
	if v.Away {
		q.Set("away", "true")
	}
	if skip > 0 {
		q.Set("skip", strconv.Itoa(skip))
	}
	return path + "?" + q.Encode()
}

func (s *service) peoplePage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v := peopleView{Query: query.Get("query"), Filter: filterOf(query)}
	var err error
	if v.desk, err = s.desk(r, staffPeoplePath); err != nil {
		s.fail(w, r, err)
		return
	}
	// Nobody is shown before somebody was asked for.
	switch a := s.act(r.Context()); {
	case v.Query != "":
		v.Found = true
		v.People, err = s.store.Find(r.Context(), a, v.Query, maxFound)
	case query.Has("estate"):
		skip, bad := strconv.ParseUint(query.Get("skip"), 10, 31)
		if query.Has("skip") && bad != nil {
			s.fail(w, r, ErrNotFound)
			return
		}
		v.First = int(skip) + 1
		v.People, v.All, err = s.store.List(r.Context(), a, "list", v.Filter, int(skip), perPage)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, peoplePage(v))
}

// maxExport is how many people a file has at most.
const maxExport = 100_000

// exportPeople is a list of people as a file that spreadsheets open, which can
// be imported again.
func (s *service) exportPeople(w http.ResponseWriter, r *http.Request) {
	f := filterOf(r.URL.Query())
	people, _, err := s.store.List(r.Context(), s.act(r.Context()), "export", f, 0, maxExport)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	lines := [][]string{templateHeadings(v.Lang == web.English)}
	for _, p := range people {
		lines = append(lines, []string{
			p.Name, p.LatinName, p.Phone, string(p.BornOn), p.Estate, p.Building, p.Unit, p.Room, string(p.Relation),
		})
	}
	s.serveCSV(w, r, "people.csv", lines)
}

// serveCSV answers with a table for spreadsheets, in UTF-8 with the mark by
// which they know it, and nothing in it that they take for a formula.
func (s *service) serveCSV(w http.ResponseWriter, r *http.Request, name string, lines [][]string) {
	content, err := web.CSV(lines)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.serveFile(w, r, name, "text/csv; charset=utf-8", content)
}

func (s *service) serveFile(w http.ResponseWriter, r *http.Request, name, contentType string, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(content); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}

// editView is the form of a record, of a new one if it has no ID.
type editView struct {
	desk
	ID   uuid.UUID
	Form detailsForm
	// Likely are records of whom this may be, shown before one is added.
	Likely []Person
}

func (s *service) newPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffPeoplePath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, editPage(editView{desk: d, Form: detailsForm{View: d.View}}))
}

func (s *service) addFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	d, err := s.desk(r, staffPeoplePath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := s.act(r.Context())
	v := editView{desk: d, Form: detailsForm{View: d.View, Details: detailsOf(r.PostForm)}}
	if _, v.Form.Problems = Check(v.Form.Details, a.Estates, a.Today()); len(v.Form.Problems) == 0 && r.PostForm.Get("again") == "" {
		v.Likely, err = s.store.Likely(r.Context(), v.Form.Details)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(v.Form.Problems) > 0 || len(v.Likely) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, editPage(v))
		return
	}
	p, err := s.store.Add(r.Context(), a, Resident, v.Form.Details)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(personURL(p.ID), "added"), http.StatusSeeOther)
}

func personURL(id uuid.UUID) string { return staffPeoplePath + id.String() }

// personView is what the staff's page of a person shows.
type personView struct {
	desk
	Person
	Household []Person
	ActsFor   []actingLine
	By        []actingLine
	Consents  []Consent
	// Actors are those who can be chosen to act for the person.
	Actors []Person
}

func (s *service) personView(r *http.Request) (v personView, err error) {
	if v.desk, err = s.desk(r, staffPeoplePath); err != nil {
		return v, err
	}
	ctx := r.Context()
	if v.Person, err = s.store.See(ctx, s.act(ctx), idOf(r.PathValue("id"))); err != nil {
		return v, err
	}
	if v.Household, err = s.store.HouseholdOf(ctx, v.Person); err != nil {
		return v, err
	}
	if v.ActsFor, v.By, err = s.actingLines(r, v.Person.ID); err != nil {
		return v, err
	}
	if v.Consents, err = s.store.Consents(ctx, v.Person.ID); err != nil {
		return v, err
	}
	v.Actors = v.Household
	if text := r.URL.Query().Get("actor"); text != "" {
		v.Actors, err = s.store.Find(ctx, s.act(ctx), text, maxFound)
		v.Actors = slices.DeleteFunc(v.Actors, func(p Person) bool { return p.ID == v.Person.ID })
	}
	return v, err
}

func (s *service) personPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.personView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, personPage(v))
}

func (s *service) editPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffPeoplePath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.store.See(r.Context(), s.act(r.Context()), idOf(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, editPage(editView{desk: d, ID: p.ID, Form: detailsForm{View: d.View, Details: p.Details}}))
}

func (s *service) editFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	d, err := s.desk(r, staffPeoplePath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a, id := s.act(r.Context()), idOf(r.PathValue("id"))
	v := editView{desk: d, ID: id, Form: detailsForm{View: d.View, Details: detailsOf(r.PostForm)}}
	if _, v.Form.Problems = Check(v.Form.Details, a.Estates, a.Today()); len(v.Form.Problems) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, editPage(v))
		return
	}
	if _, err := s.store.Change(r.Context(), a, id, v.Form.Details); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(personURL(id), "saved"), http.StatusSeeOther)
}

// onPerson has a form of a person's page do something, and shows the page
// again with the reason if that was not done.
func (s *service) onPerson(w http.ResponseWriter, r *http.Request, do func(a Act, id uuid.UUID) (done string, err error)) {
	if !s.form(w, r) {
		return
	}
	id := idOf(r.PathValue("id"))
	said, err := do(s.act(r.Context()), id)
	if err == nil {
		http.Redirect(w, r, withDone(personURL(id), said), http.StatusSeeOther)
		return
	}
	s.notDone(w, r, err)
}

// notDone shows a person's page again with the reason why something was not done.
func (s *service) notDone(w http.ResponseWriter, r *http.Request, err error) {
	var problem string
	if s.formFailed(w, r, err, &problem) {
		return
	}
	v, err := s.personView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Problem = problem
	s.pages.Render(w, r, http.StatusUnprocessableEntity, personPage(v))
}

func (s *service) awayFromPage(w http.ResponseWriter, r *http.Request) {
	s.onPerson(w, r, func(a Act, id uuid.UUID) (string, error) {
		away := r.PostForm.Get("away") == "true"
		said := "returned"
		if away {
			said = "away"
		}
		return said, s.store.MoveAway(r.Context(), a, id, away)
	})
}

func (s *service) unlinkFromPage(w http.ResponseWriter, r *http.Request) {
	s.onPerson(w, r, func(a Act, id uuid.UUID) (string, error) { return "unlinked", s.store.Unlink(r.Context(), a, id) })
}

func (s *service) endActingAtDesk(w http.ResponseWriter, r *http.Request) {
	s.onPerson(w, r, func(a Act, id uuid.UUID) (string, error) {
		return "ended", s.store.EndActing(r.Context(), a, idOf(r.PostForm.Get("id")), id)
	})
}

func (s *service) withdrawConsentAtDesk(w http.ResponseWriter, r *http.Request) {
	s.onPerson(w, r, func(a Act, id uuid.UUID) (string, error) {
		return "disagreed", s.store.WithdrawConsent(r.Context(), a, id, Purpose(r.PostForm.Get("purpose")))
	})
}

// paperFromPage notes what somebody has signed, with the scan if there is one:
// a consent, or that another acts for them. A parent's word for a child needs
// no paper, and comes this way too.
func (s *service) paperFromPage(w http.ResponseWriter, r *http.Request) {
	// The host lets no more through than a scan and a form need.
	if err := r.ParseMultipartForm(MaxDocumentBytes + formOverhead); err != nil {
		s.fail(w, r, errBadForm)
		return
	}
	form, a := r.PostForm, s.act(r.Context())
	id := idOf(form.Get("person"))
	r.SetPathValue("id", id.String()) // for the person's page, which is shown again
	content, err := formFile(r, "scan")
	var document uuid.UUID
	if err == nil && len(content) > 0 {
		document, err = s.store.PutDocument(r.Context(), a, id, content)
	}
	if err == nil && form.Get("purpose") != "" {
		err = s.store.Consent(r.Context(), a, Consent{Person: id, Purpose: Purpose(form.Get("purpose")), Basis: ConsentPaper, Document: document})
	} else if err == nil {
		var until Date
		if until, err = ParseDate(form.Get("until")); err != nil {
			err = Problem{Field: "until", Rule: ruleDateOdd}
		} else {
			_, err = s.store.LetAct(r.Context(), a, Acting{
				Actor: idOf(form.Get("actor")), Represented: id, Scopes: formScopes(form), Basis: Basis(form.Get("basis")), Until: until, Document: document,
			})
		}
	}
	if err != nil {
		s.notDone(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(personURL(id), "paper"), http.StatusSeeOther)
}

// formFile is a file of a form; nothing if none was chosen.
func formFile(r *http.Request, field string) ([]byte, error) {
	file, _, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return nil, nil
	}
	if err != nil {
		return nil, errBadForm
	}
	defer file.Close() // it was read only
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, errBadForm
	}
	return content, nil
}

// paper is a scan. It is downloaded, never shown within a page.
func (s *service) paper(w http.ResponseWriter, r *http.Request) {
	d, err := s.store.Document(r.Context(), s.act(r.Context()), idOf(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	suffix := map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "application/pdf": ".pdf"}[d.ContentType]
	s.serveFile(w, r, "scan"+suffix, d.ContentType, d.Content)
}

func (s *service) staffDeletePage(w http.ResponseWriter, r *http.Request) {
	v, err := s.personView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffDeletePage(v))
}

func (s *service) staffDelete(w http.ResponseWriter, r *http.Request) {
	id := idOf(r.PathValue("id"))
	if err := s.beginLeaving(r.Context(), s.act(r.Context()), id); err != nil {
		s.notDone(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffPeoplePath, "deleting"), http.StatusSeeOther)
}
