package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// staffStandingPath is where the staff see to the standing orders of people who
// have no phone.
const staffStandingPath = staffPath + "standing"

// staffStandingView is what the staff's page of standing orders shows: who was
// found, or somebody's standing orders and the form for a new one.
type staffStandingView struct {
	desk
	// Query is a name or number that was looked for, Found who may be meant.
	Query string
	Found []identity.Person
	// Who is whose standing orders are shown; the zero Person if nobody's are.
	Who   identity.Person
	Live  []Standing
	Meals map[uuid.UUID]string
	Form  standingForm
	Today civil.Date
}

// staffStandingURL is the staff's page of somebody's standing orders.
func staffStandingURL(person string) string {
	return staffStandingPath + "?" + url.Values{"person": {person}}.Encode()
}

func (s *service) staffStandingPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v, err := s.staffStandingView(r, typed(q, "q"), q.Get("person"), nil)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffStandingPage(v))
}

// staffStandingView prepares the page. form is what was sent, nil if nothing
// was. That somebody's standing orders are shown is recorded.
func (s *service) staffStandingView(r *http.Request, query, person string, form url.Values) (v staffStandingView, err error) {
	ctx := r.Context()
	v = staffStandingView{desk: s.desk(r, staffStandingPath), Query: query, Meals: map[uuid.UUID]string{}, Today: s.today()}
	if person == "" {
		if query != "" {
			// The service of residents records who looked for whom.
			v.Found, err = s.people.Find(ctx, query, maxFoundPeople)
		}
		return v, err
	}
	if v.Who, err = s.people.Person(ctx, person); err != nil {
		return v, err
	}
	list, err := s.store.SeeStandings(ctx, s.by(ctx), person)
	if err != nil {
		return v, err
	}
	for _, o := range list {
		if o.State(v.Today) == StandingEnded {
			continue
		}
		v.Live = append(v.Live, o)
		if v.Meals[o.ID], err = s.mealAt(r, o); err != nil {
			return v, err
		}
	}
	if v.Form, err = s.standingForm(ctx, v.View, form); err != nil {
		return v, err
	}
	v.Form.Eater, v.Form.Payments = person, staffPayments(v.View)
	if form == nil {
		v.Form.first(v.Today)
	}
	return v, nil
}

// staffPayments are how somebody at the counter can have their meals paid.
func staffPayments(v web.View) []web.Option {
	return []web.Option{{Value: payCounter, Label: v.T("canteen.staff.payCounter")}, {Value: payEater, Label: v.T("canteen.staff.payPurse")}}
}

// standingAtCounter makes a standing order for somebody at the counter. It is
// theirs, as if they had made it; who made it is recorded.
func (s *service) standingAtCounter(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	person := r.PostForm.Get("person")
	if person == "" {
		s.fail(w, r, errBadForm)
		return
	}
	v, err := s.staffStandingView(r, "", person, r.PostForm)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	want := StandingWanted{Eater: person, OrderedBy: person, Actor: v.Me.ID}
	want.Payment, want.Payer = paidWith(v.Form.Payment, person, "")
	_, ok, err := s.makeFrom(r.Context(), v.View, &v.Form, want)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case !ok:
		s.pages.Render(w, r, http.StatusUnprocessableEntity, staffStandingPage(v))
	default:
		http.Redirect(w, r, withDone(staffStandingURL(person), "standing"), http.StatusSeeOther)
	}
}

// staffStanding does what a form of the staff at somebody's standing order is
// for, and leads back to the person's page.
func (s *service) staffStanding(done string, do func(ctx context.Context, a Act, form url.Values) (Standing, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.staffForm(w, r) {
			return
		}
		id, err := parseID(r.PathValue("id"))
		var o Standing
		if err == nil {
			o, err = do(r.Context(), s.staffAct(r.Context(), id), r.PostForm)
		}
		refusal, refused := errors.AsType[*Refusal](err)
		if err != nil && !refused {
			s.fail(w, r, err)
			return
		}
		if !refused {
			http.Redirect(w, r, withDone(staffStandingURL(o.Eater), done), http.StatusSeeOther)
			return
		}
		var v staffStandingView
		if o, err = s.store.Standing(r.Context(), Reach{Staff: true}, id); err == nil {
			v, err = s.staffStandingView(r, "", o.Eater, nil)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		v.Problem = standingRefusal(v.View, refusal)
		s.pages.Render(w, r, statusOf(refusal), staffStandingPage(v))
	}
}

// staffStandingChangeURL is the form that changes somebody's standing order.
func staffStandingChangeURL(id uuid.UUID) string {
	return staffStandingPath + "/" + id.String() + "/change"
}

// staffChange is the form for somebody at the counter, with what was sent. That
// their standing order is shown is recorded.
func (s *service) staffChange(r *http.Request, form url.Values) (p standingChangeView, who identity.Person, err error) {
	ctx := r.Context()
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return p, who, err
	}
	o, err := s.store.SeeStanding(ctx, s.by(ctx), id)
	if err != nil {
		return p, who, err
	}
	if who, err = s.people.Person(ctx, o.Eater); err != nil {
		return p, who, err
	}
	p, err = s.changeView(r, o, form, staffPayments(s.pages.View(r)), "")
	p.Order = staffOrderURL
	return p, who, err
}

func (s *service) staffChangeStandingPage(w http.ResponseWriter, r *http.Request) {
	p, who, err := s.staffChange(r, nil)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case p.State(s.today()) == StandingEnded:
		http.Redirect(w, r, staffStandingURL(p.Eater), http.StatusSeeOther)
	default:
		s.pages.Render(w, r, http.StatusOK, staffChangeStandingPage(s.desk(r, staffStandingPath), p, who))
	}
}

func (s *service) staffChangeStanding(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	p, who, err := s.staffChange(r, r.PostForm)
	status := 0
	if err == nil {
		status, err = s.changeFrom(r.Context(), s.pages.View(r), &p, s.staffAct(r.Context(), p.ID), "")
	}
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		status, err = statusOf(refusal), nil
		p.Form.Mistakes[""] = standingRefusal(s.pages.View(r), refusal)
	}
	switch {
	case err != nil:
		s.fail(w, r, err)
	case status != 0:
		s.pages.Render(w, r, status, staffChangeStandingPage(s.desk(r, staffStandingPath), p, who))
	default:
		http.Redirect(w, r, withDone(staffStandingURL(p.Eater), "standingChanged"), http.StatusSeeOther)
	}
}

func (s *service) staffSkip(ctx context.Context, a Act, form url.Values) (Standing, error) {
	days, err := s.daysAway(form)
	if err != nil {
		return Standing{}, err
	}
	o, done, err := s.store.SkipDays(ctx, a, days)
	if err == nil {
		s.gaveBack(ctx, done)
	}
	return o, err
}

func (s *service) staffEnd(ctx context.Context, a Act, _ url.Values) (Standing, error) {
	return s.store.EndStanding(ctx, a, EndedByStaff)
}
