package residents

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// dutiesView is who is charged with what.
type dutiesView struct {
	desk
	Staff []Person
	Query string
	// Found are those whom the query finds, to be charged with something.
	Found []Person
	// Name and Phone were typed for somebody who lives elsewhere.
	Name, Phone string
}

func (s *service) dutiesView(r *http.Request) (v dutiesView, err error) {
	if v.desk, err = s.desk(r, staffDutiesPath); err != nil {
		return v, err
	}
	if v.Staff, err = s.store.Staff(r.Context()); err != nil {
		return v, err
	}
	if v.Query = r.URL.Query().Get("query"); v.Query != "" {
		v.Found, err = s.store.Find(r.Context(), s.act(r.Context()), v.Query, maxFound)
	}
	return v, err
}

func (s *service) dutiesPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.dutiesView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dutiesPage(v))
}

// addExternal makes a record of somebody who works here and lives elsewhere.
func (s *service) addExternal(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, err := s.dutiesView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Name, v.Phone = r.PostForm.Get("name"), r.PostForm.Get("phone")
	p, err := s.store.Add(r.Context(), s.act(r.Context()), External, Details{Name: v.Name, Phone: v.Phone})
	if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	if v.Problem != "" {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, dutiesPage(v))
		return
	}
	http.Redirect(w, r, dutyURL(p.ID), http.StatusSeeOther)
}

func dutyURL(id uuid.UUID) string { return staffDutiesPath + "/" + id.String() }

// dutyView is what one person is charged with.
type dutyView struct {
	desk
	Person
	// Chosen are the duties that were ticked.
	Chosen []identity.Duty
	// Code is an invitation that was just made; it is shown this once.
	Code string
}

func (s *service) dutyView(r *http.Request) (v dutyView, err error) {
	if v.desk, err = s.desk(r, staffDutiesPath); err != nil {
		return v, err
	}
	v.Person, err = s.store.See(r.Context(), s.act(r.Context()), idOf(r.PathValue("id")))
	v.Chosen = v.Duties
	return v, err
}

func (s *service) dutyPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.dutyView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dutyPage(v))
}

func (s *service) setDutiesFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, err := s.dutyView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Chosen = nil
	for _, d := range r.PostForm["duties"] {
		v.Chosen = append(v.Chosen, identity.Duty(d))
	}
	_, err = s.store.Appoint(r.Context(), s.act(r.Context()), v.Person.ID, v.Chosen)
	if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	if v.Problem != "" {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, dutyPage(v))
		return
	}
	http.Redirect(w, r, withDone(dutyURL(v.Person.ID), "saved"), http.StatusSeeOther)
}

// inviteFromPage makes a code and shows it, this once: it is kept nowhere, and
// so cannot be shown by another page to which one would be sent on.
func (s *service) inviteFromPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.dutyView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Code, err = s.store.Invite(r.Context(), s.act(r.Context()), v.Person.ID)
	if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	status := http.StatusOK
	if v.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	s.pages.Render(w, r, status, dutyPage(v))
}
