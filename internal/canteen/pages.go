package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	homePath = "/" + Name + "/"
	weekPath = homePath + "week"
	doorPath = homePath + "door"
	// orderPath is where a meal is ordered.
	orderPath = homePath + "order"
	// ordersPath is where a resident's orders are.
	ordersPath = homePath + "orders"
	// pursePath is where people see their purse and how to top it up.
	pursePath = "/accounts/"
)

// mountPages mounts the residents' pages. Everybody may see what is cooked; who
// orders signs in.
func (s *service) mountPages(mux *host.Router, people *identity.Identity) {
	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, people.RequirePerson(h)) }
	mux.HandleFunc("GET "+homePath+"{$}", s.menuPage)
	mux.HandleFunc("GET "+weekPath, s.weekPage)
	mux.HandleFunc("GET "+doorPath, s.doorPage)

	personal("GET "+orderPath, s.orderPage)
	mux.HandleFunc("POST "+orderPath, s.orderFromPage)

	personal("GET "+ordersPath, s.ordersPage)
	personal("GET "+ordersPath+"/{id}", s.ownOrderPage)
	personal("GET "+ordersPath+"/{id}/change", s.changePage)
	personal("POST "+ordersPath+"/{id}/change", s.changeFromPage)
	personal("GET "+ordersPath+"/{id}/cancel", s.cancelPage)
	personal("POST "+ordersPath+"/{id}/cancel", s.cancelFromPage)
	s.mountStanding(mux, people)
	personal("GET "+ordersPath+"/{id}/rate", s.ratePage)
	personal("POST "+ordersPath+"/{id}/rate", s.rateFromPage)
	s.mountSuggestions(mux, people)
}

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

// maxFormBytes is far more than a form with the longest menu needs.
const maxFormBytes = 64 << 10

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
	case errors.Is(err, ErrNotFound), errors.Is(err, identity.ErrNobody):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errNotYours):
		s.pages.Error(w, r, http.StatusForbidden)
		return
	case errors.Is(err, errBadForm):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	case errors.Is(err, errUnchecked):
		s.pages.Error(w, r, http.StatusServiceUnavailable)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// signInFor sends somebody who is not signed in to do so, or whom the community
// does not know to ask to join, and then to back.
func signInFor(w http.ResponseWriter, r *http.Request, back string) {
	path := identity.SignInPath
	if proof, ok := identity.ProofFromContext(r.Context()); ok {
		path = proof.Introduction()
	}
	http.Redirect(w, r, path+"?"+url.Values{"return": {back}}.Encode(), http.StatusSeeOther)
}

// pageDay is the day that a page's address names; today if it names none.
func (s *service) pageDay(r *http.Request) (civil.Date, error) {
	text := r.URL.Query().Get("date")
	if text == "" {
		return s.today(), nil
	}
	day, err := parseDay("date", text)
	if err != nil {
		return day, ErrNotFound
	}
	return day, nil
}

// dayURL is the page with the menus of a day.
func dayURL(day civil.Date) string { return homePath + "?date=" + day.String() }

// query is a sitting as a part of an address.
func (s Sitting) query() url.Values {
	return url.Values{"canteen": {s.Canteen}, "date": {s.Day.String()}, "meal": {s.Meal}}
}

// sittingFrom reads a sitting from an address or a form; ErrNotFound if it
// names none.
func sittingFrom(values url.Values) (Sitting, error) {
	day, err := parseDay("date", values.Get("date"))
	if err != nil {
		return Sitting{}, ErrNotFound
	}
	return Sitting{Canteen: values.Get("canteen"), Day: day, Meal: values.Get("meal")}, nil
}

// orderFormURL is the page on which a meal is ordered for somebody, or, if
// nobody is named, on which is asked for whom.
func orderFormURL(sitting Sitting, person string) string {
	q := sitting.query()
	if person != "" {
		q.Set("for", person)
	}
	return orderPath + "?" + q.Encode()
}

func orderURL(id uuid.UUID) string { return ordersPath + "/" + id.String() }

// household are the reader and after that those for whom the reader may order.
type household []identity.Person

// called is what the reader calls a person: me, or by name.
func (h household) called(v web.View, person, name string) string {
	for i, p := range h {
		switch {
		case p.ID == person && i == 0:
			return v.T("canteen.myself")
		case p.ID == person:
			return v.Name(p.Name, p.LatinName)
		}
	}
	return name
}

// whose says for whom something is; nothing where that is plain, because the
// reader orders for nobody else.
func (h household) whose(v web.View, person, name string) string {
	if len(h) < 2 {
		return ""
	}
	return h.called(v, person, name)
}

// ordersByMeal are the live orders of the caller's household from today on, by
// the meal of a day and the eater.
func (s *service) ordersByMeal(ctx context.Context) (map[mealOf]Order, error) {
	by := map[mealOf]Order{}
	reach := s.reach(ctx)
	if len(reach.Persons) == 0 {
		return by, nil
	}
	orders, err := s.store.Orders(ctx, reach, s.today(), false, maxListed)
	for _, o := range orders {
		if o.State.Live() || o.State == StateServed {
			by[mealOf{o.Day, o.Meal, o.Eater}] = o
		}
	}
	return by, err
}

// mealOf is somebody's meal of a day, of which there is one at most.
type mealOf struct {
	Day         civil.Date
	Meal, Eater string
}
