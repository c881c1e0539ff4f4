package residents

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// staffRequestsView is what the page of requests shows.
type staffRequestsView struct {
	desk
	Requests []askedLine
	Granted  int
}

// askedLine is a request, and who asks if they are known.
type askedLine struct {
	Asked
	By Person
}

func (s *service) staffRequests(r *http.Request) (v staffRequestsView, err error) {
	if v.desk, err = s.desk(r, staffRequestsPath); err != nil {
		return v, err
	}
	asked, err := s.store.SeeOpen(r.Context(), s.act(r.Context()))
	if err != nil {
		return v, err
	}
	for _, one := range asked {
		line := askedLine{Asked: one}
		if one.Person != uuid.Nil {
			line.By, err = s.store.Person(r.Context(), one.Person)
			if errors.Is(err, ErrNotFound) {
				continue // being deleted
			}
			if err != nil {
				return v, err
			}
		}
		v.Requests = append(v.Requests, line)
	}
	return v, nil
}

func (s *service) requestsPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.staffRequests(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, requestsPage(v))
}

// grantFromPage grants the requests that were ticked, each by itself: what
// cannot be granted stays, and the page says why.
func (s *service) grantFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	problem := ""
	for _, text := range r.PostForm["pick"] {
		// Who asks to act for somebody asks for all that can be done for another.
		g := Granting{ID: idOf(text), Scopes: identity.Scopes, Basis: Basis(r.PostForm.Get("basis." + text))}
		if as := r.PostForm.Get("as." + text); as != "" && as != "new" {
			g.As = idOf(as)
		}
		_, err := s.store.Grant(r.Context(), s.act(r.Context()), g)
		if s.formFailed(w, r, err, &problem) {
			return
		}
	}
	if problem == "" {
		http.Redirect(w, r, withDone(staffRequestsPath, "granted"), http.StatusSeeOther)
		return
	}
	v, err := s.staffRequests(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Problem = problem
	s.pages.Render(w, r, http.StatusUnprocessableEntity, requestsPage(v))
}

// options are the records that a request can be granted for.
func (l askedLine) options(v web.View) []web.Option {
	var options []web.Option
	for _, p := range l.Likely {
		options = append(options, web.Option{Value: p.ID.String(), Label: v.T("residents.staff.linkWith", "Name", p.Name, "Born", string(p.BornOn), "Home", homeText(v, p.Home))})
	}
	if l.Kind == RequestJoin {
		options = append(options, web.Option{Value: "new", Label: v.T("residents.staff.newRecord")})
	}
	return options
}

// refuseView is the page on which a request is refused.
type refuseView struct {
	desk
	Request
	Text string
}

func (s *service) refusePage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffRequestsPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	request, err := s.store.Request(r.Context(), idOf(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, refusePage(refuseView{desk: d, Request: request}))
}

func (s *service) refuseFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	d, err := s.desk(r, staffRequestsPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	request, err := s.store.Request(r.Context(), idOf(r.PathValue("id")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := refuseView{desk: d, Request: request, Text: r.PostForm.Get("reason")}
	if Clean(v.Text) == "" {
		v.Problem, v.Field = d.T("residents.staff.reasonMissing"), "reason"
	} else if s.formFailed(w, r, s.store.Refuse(r.Context(), s.act(r.Context()), request.ID, v.Text), &v.Problem) {
		return
	}
	if v.Problem != "" {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, refusePage(v))
		return
	}
	http.Redirect(w, r, withDone(staffRequestsPath, "refused"), http.StatusSeeOther)
}
