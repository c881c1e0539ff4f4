package residents

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// joinView is what the page shows on which somebody who has signed in says who
// they are.
type joinView struct {
	detailsForm
	Return string
	// Request is what the reader has asked for last, or nil.
	Request *Request
	// Full shows the form of a request instead of the question for the name.
	Full bool
}

// joining prepares the page on which somebody says who they are.
func (s *service) joining(r *http.Request) (v joinView, proof identity.Proof, err error) {
	proof, _ = identity.ProofFromContext(r.Context())
	v = joinView{Return: web.LocalPath(r.FormValue("return"))}
	v.View, v.Without = s.pages.View(r), []string{"phone", "latinName", "relation"}
	requests, err := s.store.RequestsOf(r.Context(), proof.Subject, uuid.Nil)
	for _, request := range requests {
		if request.Kind == RequestJoin && request.State != RequestGranted {
			v.Request = &request
			break
		}
	}
	return v, proof, err
}

func (s *service) joinPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := identity.FromContext(r.Context()); ok {
		http.Redirect(w, r, homePath, http.StatusSeeOther)
		return
	}
	v, _, err := s.joining(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Full = r.URL.Query().Get("full") == "true"
	s.pages.Render(w, r, http.StatusOK, joinPage(v))
}

// join links the caller with the record that has the caller's number and name.
// If there is none, the answer is the form of a request, whatever the reason.
func (s *service) join(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, proof, err := s.joining(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Details.Name = CleanName(r.PostForm.Get("name"))
	a := s.act(r.Context())
	if _, problems := Check(v.Details, a.Estates, a.Today()); len(problems) > 0 {
		v.Problems = problems
		s.pages.Render(w, r, http.StatusUnprocessableEntity, joinPage(v))
		return
	}
	if proof.Phone != "" {
		linked, err := s.store.Join(r.Context(), a, proof.Subject, proof.Phone, v.Details.Name)
		if err != nil && !errors.Is(err, ErrTooOften) {
			s.fail(w, r, err)
			return
		}
		if linked {
			http.Redirect(w, r, v.Return, http.StatusSeeOther)
			return
		}
		// Who has tried too often is not told so: they can ask the staff, too.
	}
	v.Full = true
	s.pages.Render(w, r, http.StatusOK, joinPage(v))
}

// askToJoin keeps the request of somebody who is not known.
func (s *service) askToJoin(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, proof, err := s.joining(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := s.act(r.Context())
	v.Full, v.Details, v.Note = true, detailsOf(r.PostForm), r.PostForm.Get("note")
	v.Details.Phone = proof.Phone // the one that is proven
	if _, v.Problems = Check(v.Details, a.Estates, a.Today()); len(v.Problems) == 0 {
		_, err = s.store.Ask(r.Context(), a, Request{Kind: RequestJoin, Subject: proof.Subject, Details: v.Details, Note: v.Note})
	}
	if s.formFailed(w, r, err, &v.Message) {
		return
	}
	if len(v.mistakes()) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, joinPage(v))
		return
	}
	http.Redirect(w, r, identity.JoinPath, http.StatusSeeOther)
}

func (s *service) withdrawJoin(w http.ResponseWriter, r *http.Request) {
	proof, _ := identity.ProofFromContext(r.Context())
	if err := s.store.Withdraw(r.Context(), s.act(r.Context()), RequestJoin, proof.Subject, uuid.Nil); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, identity.JoinPath, http.StatusSeeOther)
}

// whichView is what the page shows on which those who share an account say who
// of them it is.
type whichView struct {
	web.View
	People []identity.Person
	Return string
}

func (s *service) whichPage(w http.ResponseWriter, r *http.Request) {
	proof, _ := identity.ProofFromContext(r.Context())
	v := whichView{View: s.pages.View(r), People: proof.Candidates, Return: web.LocalPath(r.URL.Query().Get("return"))}
	s.pages.Render(w, r, http.StatusOK, whichPage(v))
}

func (s *service) choose(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	err := s.identity.Choose(r.Context(), r.PostForm.Get("person"))
	switch {
	case errors.Is(err, identity.ErrNotACandidate):
		s.fail(w, r, errBadForm)
	case err != nil:
		s.fail(w, r, err)
	default:
		http.Redirect(w, r, web.LocalPath(r.PostForm.Get("return")), http.StatusSeeOther)
	}
}

// invitationView is what the page shows on which staff use their code.
type invitationView struct {
	web.View
	Problem string
}

func (s *service) invitationPage(w http.ResponseWriter, r *http.Request) {
	s.pages.Render(w, r, http.StatusOK, invitationPage(invitationView{View: s.pages.View(r)}))
}

// accept has the caller become the member of staff for whom a code is.
func (s *service) accept(ctx context.Context, code string) (Person, error) {
	proof, _ := identity.ProofFromContext(ctx)
	managers := s.config().Community.Spec.Managers
	ofManifest := func(code string) (string, bool) {
		for _, m := range managers {
			if s.identity.CheckInvitation(m.Name, code) {
				return m.Name, true
			}
		}
		return "", false
	}
	return s.store.AcceptInvitation(ctx, s.act(ctx), proof.Subject, code, ofManifest)
}

func (s *service) acceptInvitation(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	proof, _ := identity.ProofFromContext(r.Context())
	v := invitationView{View: s.pages.View(r)}
	p, err := s.accept(r.Context(), r.PostForm.Get("code"))
	if errors.Is(err, ErrNotFound) {
		v.Problem = v.T("residents.invitation.wrong")
	} else if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	if v.Problem != "" {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, invitationPage(v))
		return
	}
	// Who is somebody else here already goes on as the one who was invited.
	if proof.Session != "" && slices.ContainsFunc(proof.Candidates, func(c identity.Person) bool { return c.ID != p.ID.String() }) {
		http.Redirect(w, r, identity.WhichPath, http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, staffPath, http.StatusSeeOther)
}
