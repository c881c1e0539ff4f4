package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// What the page of an order says was just done.
const (
	doneOrdered   = "ordered"
	doneChanged   = "changed"
	doneCancelled = "cancelled"
)

// pastShown is how many past orders are shown at first.
const pastShown = 20

// ordersView is what the page of a household's orders shows.
type ordersView struct {
	Household household
	// Upcoming are those that are still to be eaten, Past all others.
	Upcoming, Past []Order
	// More says that there are more past ones.
	More   bool
	Dishes map[uuid.UUID]Dish
	// Meals are what the meals are called.
	Meals map[Sitting]string
}

func (s *service) ordersPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.ordersView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, ordersPage(s.pages.View(r), p))
}

func (s *service) ordersView(r *http.Request) (p ordersView, err error) {
	ctx := r.Context()
	p = ordersView{Household: s.household(ctx), Meals: map[Sitting]string{}}
	fromToday, err := s.store.Orders(ctx, s.reach(ctx), s.today(), false, maxListed)
	if err != nil {
		return p, err
	}
	limit := pastShown
	if r.URL.Query().Has("all") {
		limit = maxListed
	}
	if p.Past, err = s.store.Orders(ctx, s.reach(ctx), s.today(), true, limit+1); err != nil {
		return p, err
	}
	if len(p.Past) > limit {
		p.Past, p.More = p.Past[:limit], limit < maxListed
	}
	for _, o := range slices.Backward(fromToday) { // what is over today is the latest of the past
		if o.State.Live() {
			p.Upcoming = append(p.Upcoming, o)
		}
	}
	slices.Reverse(p.Upcoming)
	over := slices.DeleteFunc(slices.Clone(fromToday), func(o Order) bool { return o.State.Live() })
	slices.Reverse(over)
	p.Past = append(over, p.Past...)
	all := slices.Concat(p.Upcoming, p.Past)
	if p.Dishes, err = s.store.DishesOf(ctx, all...); err != nil {
		return p, err
	}
	for _, o := range all {
		if p.Meals[o.Sitting] != "" {
			continue
		}
		if p.Meals[o.Sitting], _, err = s.placeOf(r, o.Sitting); err != nil {
			return p, err
		}
	}
	return p, nil
}

// placeOf is what people call the meal and the canteen of a sitting. A meal
// that was taken away keeps its short name.
func (s *service) placeOf(r *http.Request, sitting Sitting) (meal, place string, err error) {
	c, err := s.store.Canteen(r.Context(), sitting.Canteen)
	if errors.Is(err, ErrNotFound) {
		return sitting.Meal, sitting.Canteen, nil
	}
	m, ok := c.Meal(sitting.Meal)
	if !ok {
		return sitting.Meal, c.DisplayName, err
	}
	return m.DisplayName, c.DisplayName, err
}

// ownView is what the page of an order shows.
type ownView struct {
	Order
	MealName, Place string
	Household       household
	Dishes          map[uuid.UUID]Dish
	// By is who ordered, if that was neither the eater nor the reader.
	By string
	// Tier is what the eater's lower price is called.
	Tier string
	// Times are those of the meal; zero if the canteen has no such meal any
	// more.
	Times Times
	// CanChange and CanCancel say that it is not too late.
	CanChange, CanCancel bool
	// TooLate says that it could be changed, but for the time.
	TooLate bool
	Now     time.Time
	// Done is what the reader has just done, if anything; Problem why it was
	// not done.
	Done, Problem string
	// RateUntil is until when the reader can say how it was; zero if they
	// cannot. Ratings are what was said, by dish.
	RateUntil time.Time
	Ratings   map[uuid.UUID]Rating
}

// orderedBy names who ordered for somebody else; empty if that is who reads, or
// if they are not known any more.
func (s *service) orderedBy(r *http.Request, o Order) (string, error) {
	if reader, _ := identity.FromContext(r.Context()); o.OrderedBy == o.Eater || o.OrderedBy == reader.ID {
		return "", nil
	}
	by, err := s.people.Person(r.Context(), o.OrderedBy)
	if err != nil && !errors.Is(err, identity.ErrNobody) {
		return "", err
	}
	return s.pages.View(r).Name(by.Name, by.LatinName), nil
}

// own prepares the page of the order that the address names, if it is one of the
// reader's household.
func (s *service) own(r *http.Request) (p ownView, err error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return p, err
	}
	return s.ownOf(r, id)
}

// ownOf prepares the page of an order of the reader's household.
func (s *service) ownOf(r *http.Request, id uuid.UUID) (p ownView, err error) {
	ctx := r.Context()
	p = ownView{Household: s.household(ctx), Now: s.clock.Now()}
	if p.Order, err = s.store.Order(ctx, s.reach(ctx), id); err != nil {
		return p, err
	}
	if p.Dishes, err = s.store.DishesOf(ctx, p.Order); err != nil {
		return p, err
	}
	if p.MealName, p.Place, err = s.placeOf(r, p.Sitting); err != nil {
		return p, err
	}
	if p.By, err = s.orderedBy(r, p.Order); err != nil {
		return p, err
	}
	p.Tier = s.tierName(p.Order.Tier)
	c, err := s.store.Canteen(ctx, p.Canteen)
	if err != nil {
		return p, err
	}
	if meal, ok := c.Meal(p.Meal); ok {
		p.Times = TimesOf(meal, p.Day, s.location())
		open := p.State == StatePlaced && p.Next == nil
		p.TooLate = open && !p.Now.Before(p.Times.CutOff)
		p.CanCancel = open && !p.TooLate
		p.CanChange = p.CanCancel && p.PaidAt.IsZero() && (p.Money == MoneyNone || p.Money == MoneyHeld)
	}
	p.Done = p.done(r.URL.Query().Get("done"))
	p.RateUntil = rateUntil(p.Order, p.Now)
	p.Ratings, err = s.store.RatingsOf(ctx, s.reach(ctx), id)
	return p, err
}

// done is what was just done, if that is still so: the page may be opened again
// much later.
func (p ownView) done(what string) string {
	if (what == doneOrdered || what == doneChanged) && p.State == StatePlaced || what == doneCancelled && p.State == StateCancelled ||
		what == doneRated && p.State == StateServed {
		return what
	}
	return ""
}

func (s *service) ownOrderPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.own(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, ownPage(s.pages.View(r), p))
}

// changing prepares the form with which an order is changed; false if it was
// answered already, because the order cannot be changed any more.
func (s *service) changing(w http.ResponseWriter, r *http.Request) (p orderView, ok bool) {
	old, err := s.own(r)
	if err != nil {
		s.fail(w, r, err)
		return p, false
	}
	if !old.CanChange {
		http.Redirect(w, r, orderURL(old.ID), http.StatusSeeOther)
		return p, false
	}
	m, err := s.sitting(r.Context(), old.Sitting)
	if err == nil {
		p, err = s.orderView(r.Context(), m, old.Eater, &old.Order)
	}
	if err != nil {
		s.fail(w, r, err)
		return p, false
	}
	return p, true
}

func (s *service) changePage(w http.ResponseWriter, r *http.Request) {
	if p, ok := s.changing(w, r); ok {
		p.Form = p.first()
		s.pages.Render(w, r, http.StatusOK, orderPage(s.pages.View(r), p))
	}
}

func (s *service) changeFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, ok := s.changing(w, r)
	if !ok {
		return
	}
	if err := p.readOrder(form); err != nil {
		s.fail(w, r, err)
		return
	}
	s.goOn(w, r, form.Get("step"), p, func() (Order, error) {
		return s.changeBy(r.Context(), s.act(r.Context(), p.Old.ID), p.content())
	})
}

func (s *service) cancelPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.own(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !p.CanCancel {
		http.Redirect(w, r, orderURL(p.ID), http.StatusSeeOther)
		return
	}
	s.pages.Render(w, r, http.StatusOK, cancelPage(s.pages.View(r), p))
}

// cancelFromPage cancels an order and leads to its page; if it is too late, that
// says so.
func (s *service) cancelFromPage(w http.ResponseWriter, r *http.Request) {
	id, err := parseID(r.PathValue("id"))
	if err == nil {
		_, err = s.cancel(r.Context(), s.act(r.Context(), id))
	}
	refusal, refused := errors.AsType[*Refusal](err)
	if err != nil && !refused {
		s.fail(w, r, err)
		return
	}
	if !refused {
		http.Redirect(w, r, orderURL(id)+"?"+url.Values{"done": {doneCancelled}}.Encode(), http.StatusSeeOther)
		return
	}
	p, err := s.own(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	p.Problem = refusalText(v, refusal, "")
	s.pages.Render(w, r, statusOf(refusal), ownPage(v, p))
}

// moneyText says how far the payment of an order has come.
func moneyText(v web.View, o Order) string {
	id := "canteen.money.counter"
	switch {
	case o.Pays() == 0:
		id = "canteen.money.free"
	case o.Money == MoneyHolding:
		id = "canteen.money.holding"
	case o.Money == MoneyHeld:
		id = "canteen.money.held"
	case o.Money == MoneyCapture || o.Money == MoneyCaptured || o.Money == MoneySale || o.Money == MoneySold:
		id = "canteen.money.paid"
	case o.Money == MoneyRelease || o.Money == MoneyReleased:
		id = "canteen.money.released"
	case o.Money == MoneyRefund || o.Money == MoneyRefunded:
		id = "canteen.money.refunded"
	case o.Money == MoneyLost:
		id = "canteen.money.lost"
	case !o.State.Live() && o.State != StateServed:
		id = "canteen.money.none"
	}
	return v.T(id)
}
