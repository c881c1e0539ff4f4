package residents

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// actingView is what the page shows of who acts for whom.
type actingView struct {
	web.View
	Self Person
	// For are those for whom the reader acts, By those who act for the reader.
	For, By []actingLine
	// Code was just made; it is shown this once.
	Code string
	// Problem is what is wrong, and Field the one in which it is, if it is one.
	Problem, Field string
	// Asking is what was typed in the request to act for somebody.
	Asking Details
	Done   string
}

// mistake is what is wrong with a field; empty if nothing is.
func (v actingView) mistake(field string) string {
	if v.Field != field {
		return ""
	}
	return v.Problem
}

// actingLine is an agreement that holds, and with whom.
type actingLine struct {
	Acting
	Other Person
}

func (s *service) actingView(r *http.Request) (v actingView, err error) {
	v.View, v.Done = s.pages.View(r), done(r)
	if v.Self, err = s.caller(r.Context()); err != nil {
		return v, err
	}
	v.For, v.By, err = s.actingLines(r, v.Self.ID)
	return v, err
}

// actingLines are the agreements of a person that hold today.
func (s *service) actingLines(r *http.Request, person uuid.UUID) (actsFor, by []actingLine, err error) {
	acting, err := s.store.ActingOf(r.Context(), person)
	if err != nil {
		return nil, nil, err
	}
	today := s.act(r.Context()).Today()
	for _, a := range acting {
		if !a.Holds(today) {
			continue
		}
		other := a.Represented
		if a.Represented == person {
			other = a.Actor
		}
		p, err := s.store.Person(r.Context(), other)
		if errors.Is(err, ErrNotFound) {
			continue // being deleted
		}
		if err != nil {
			return nil, nil, err
		}
		if a.Actor == person {
			actsFor = append(actsFor, actingLine{a, p})
		} else {
			by = append(by, actingLine{a, p})
		}
	}
	return actsFor, by, nil
}

func (s *service) actingPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.actingView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, actingPage(v))
}

// fromActing has one of the page's forms do something, and shows the page
// again if it was not done or has a code to show.
func (s *service) fromActing(w http.ResponseWriter, r *http.Request, said string, do func(v *actingView, a Act) error) {
	if !s.form(w, r) {
		return
	}
	v, err := s.actingView(r)
	if err == nil {
		err = do(&v, s.act(r.Context()))
	}
	if p, ok := errors.AsType[Problem](err); ok {
		v.Field = p.Field
	}
	if s.formFailed(w, r, err, &v.Problem) {
		return
	}
	switch {
	case v.Problem != "":
		s.pages.Render(w, r, http.StatusUnprocessableEntity, actingPage(v))
	case v.Code != "":
		s.pages.Render(w, r, http.StatusOK, actingPage(v))
	default:
		http.Redirect(w, r, withDone(actingPath, said), http.StatusSeeOther)
	}
}

func (s *service) offerActing(w http.ResponseWriter, r *http.Request) {
	s.fromActing(w, r, "", func(v *actingView, a Act) (err error) {
		until, err := ParseDate(r.PostForm.Get("until"))
		if err != nil {
			return Problem{Field: "until", Rule: ruleDateOdd}
		}
		v.Code, err = s.store.OfferActing(r.Context(), a, v.Self.ID, formScopes(r.PostForm), until)
		return err
	})
}

func (s *service) acceptActing(w http.ResponseWriter, r *http.Request) {
	s.fromActing(w, r, "acting", func(v *actingView, a Act) error {
		_, err := s.store.AcceptActing(r.Context(), a, v.Self.ID, r.PostForm.Get("code"))
		if errors.Is(err, ErrNotFound) {
			v.Problem, v.Field = v.T("residents.acting.wrongCode"), "code"
			return nil
		}
		return err
	})
}

func (s *service) askToAct(w http.ResponseWriter, r *http.Request) {
	s.fromActing(w, r, "asked", func(v *actingView, a Act) error {
		v.Asking = detailsOf(r.PostForm)
		_, err := s.store.Ask(r.Context(), a, Request{Kind: RequestActing, Person: v.Self.ID, Details: v.Asking, Note: r.PostForm.Get("note")})
		return err
	})
}

func (s *service) endActing(w http.ResponseWriter, r *http.Request) {
	s.fromActing(w, r, "ended", func(v *actingView, a Act) error {
		return s.store.EndActing(r.Context(), a, idOf(r.PostForm.Get("id")), v.Self.ID)
	})
}
