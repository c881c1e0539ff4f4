package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

func standingChangeURL(id uuid.UUID) string { return standingURL(id) + "/change" }

// payKept is the way of paying of a purse that is neither the eater's nor the
// reader's: it can stay, but not be chosen anew.
const payKept = "kept"

// standingChangeView is what the form shows that changes a standing order.
type standingChangeView struct {
	Standing
	Form standingForm
	// MealName is what its meal is called, with its canteen.
	MealName string
	// Placed are the days for which there is an order, which stays as it is.
	Placed []Ahead
	Dishes map[uuid.UUID]Dish
	// Stale says that somebody else has changed it meanwhile.
	Stale bool
	// Action is where the form is sent, Order where an order is.
	Action string
	Order  func(uuid.UUID) string
}

// changeView prepares the form for a standing order, with what was sent; nil if
// nothing was. own is whose own purse could pay; empty at the counter.
func (s *service) changeView(r *http.Request, o Standing, form url.Values, payments []web.Option, own string) (p standingChangeView, err error) {
	ctx, v := r.Context(), s.pages.View(r)
	p = standingChangeView{Standing: o, Action: r.URL.Path, Order: orderURL}
	if p.MealName, err = s.mealAt(r, o); err != nil {
		return p, err
	}
	values, version := form, seenVersion(form)
	if form == nil {
		values, version = standingValues(o, own), o.Version
	}
	if p.Form, err = s.standingForm(ctx, v, values); err != nil {
		return p, err
	}
	p.Form.Eater, p.Form.Meal, p.Form.Payments, p.Form.Version = o.Eater, mealKey(o.Canteen, o.Meal), payments, version
	if payChoice(o, own) == payKept {
		p.Form.Payments = append(p.Form.Payments, web.Option{Value: payKept, Label: v.T("canteen.standing.pay.other")})
	}
	if p.Form.Begun = o.Begun(s.today()); p.Form.Begun {
		p.Form.From = o.From.String()
	}
	c, err := s.store.Canteen(ctx, o.Canteen)
	if err != nil {
		return p, err
	}
	if meal, ok := c.Meal(o.Meal); ok {
		p.Form.Ways = slices.DeleteFunc(p.Form.Ways, func(o web.Option) bool {
			return !slices.Contains(meal.Ways, v1alpha1.Way(o.Value))
		})
	}
	days, err := s.store.Ahead(ctx, o, s.clock.Now(), s.location())
	if err != nil {
		return p, err
	}
	for _, d := range days {
		if d.State == AheadOrdered && d.Order.State.Live() {
			p.Placed = append(p.Placed, d)
		}
	}
	p.Dishes, err = s.dishesAhead(ctx, p.Placed)
	return p, err
}

// payChoice is how a standing order is paid, as the form has it.
func payChoice(o Standing, own string) string {
	switch {
	case o.Payment == PayCounter:
		return payCounter
	case own != "" && o.Payer == own:
		return payOwn
	case o.Payer == o.Eater:
		return payEater
	}
	return payKept
}

// standingValues are what the form of a standing order would have sent.
func standingValues(o Standing, own string) url.Values {
	values := url.Values{
		"from": {o.From.String()}, "way": {string(o.Way)}, "wish": {o.Wish}, "payment": {payChoice(o, own)},
		"weekdays": textsOf(o.Weekdays), "kinds": textsOf(o.Dishes.Kinds), "avoid": textsOf(o.Dishes.Avoid),
		"require": textsOf(o.Dishes.Require), "prefer": textsOf(o.Dishes.Prefer),
	}
	if o.Until.Year != 0 {
		values.Set("until", o.Until.String())
	}
	return values
}

// textsOf are names of things as the values of a form.
func textsOf[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = string(e)
	}
	return texts
}

// changeStanding gives a standing order of an eater other terms.
func (s *service) changeStanding(ctx context.Context, a Act, eater string, w StandingChange) (Standing, error) {
	content := Content{Way: w.Way}
	if err := s.complete(ctx, eater, &content); err != nil {
		return Standing{}, err
	}
	w.Estate = content.Home.Estate
	return s.store.ChangeStanding(ctx, a, w)
}

// changeFrom changes a standing order as its form asks. What stands against it
// is noted in the form, and the status is that of the page with it again; it is
// 0 if it was done.
func (s *service) changeFrom(ctx context.Context, v web.View, p *standingChangeView, a Act, own string) (status int, err error) {
	f := &p.Form
	w := StandingChange{StandingTerms: f.terms(v), Version: f.Version}
	if w.Payment, w.Payer = paidWith(f.Payment, p.Eater, own); f.Payment == payKept && payChoice(p.Standing, own) == payKept {
		w.Payment, w.Payer = p.Payment, p.Payer
	}
	if len(f.Mistakes) > 0 {
		return http.StatusUnprocessableEntity, nil
	}
	_, err = s.changeStanding(ctx, a, p.Eater, w)
	wrong, mistaken := errors.AsType[StandingMistakes](err)
	switch {
	case mistaken:
		for _, m := range wrong {
			switch m.Field {
			case "meal":
				f.Mistakes[""] = v.T("canteen.standing.mealGone")
			case "payer":
				f.Mistakes["payment"] = v.T("canteen.standing.wrong.payment")
			default:
				f.Mistakes[m.Field] = v.T("canteen.standing.wrong." + m.Field)
			}
		}
		return http.StatusUnprocessableEntity, nil
	case errors.Is(err, ErrStale):
		p.Stale, f.Version, f.Mistakes[""] = true, p.Version, v.T("canteen.standing.stale")
		return http.StatusConflict, nil
	}
	return 0, err
}

// ownChange is the form for the caller's household, with what was sent.
func (s *service) ownChange(r *http.Request, form url.Values) (p standingChangeView, own string, err error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return p, "", err
	}
	ctx := r.Context()
	o, err := s.store.Standing(ctx, s.reach(ctx), id)
	if err != nil {
		return p, "", err
	}
	caller, _ := identity.FromContext(ctx)
	p, err = s.changeView(r, o, form, householdPayments(s.pages.View(r), o.Eater != caller.ID), caller.ID)
	return p, caller.ID, err
}

func (s *service) changeStandingPage(w http.ResponseWriter, r *http.Request) {
	p, _, err := s.ownChange(r, nil)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case p.State(s.today()) == StandingEnded:
		http.Redirect(w, r, standingURL(p.ID), http.StatusSeeOther)
	default:
		v := s.pages.View(r)
		s.pages.Render(w, r, http.StatusOK, changeStandingPage(v, p, household(s.household(r.Context()))))
	}
}

func (s *service) changeStandingFromPage(w http.ResponseWriter, r *http.Request) {
	s.doStanding(w, r, func(a Act, form url.Values) (url.Values, error) {
		p, own, err := s.ownChange(r, form)
		if err != nil {
			return nil, err
		}
		v := s.pages.View(r)
		status, err := s.changeFrom(r.Context(), v, &p, a, own)
		if status != 0 {
			s.pages.Render(w, r, status, changeStandingPage(v, p, household(s.household(r.Context()))))
			return nil, nil
		}
		return url.Values{"done": {"changed"}}, err
	})
}
