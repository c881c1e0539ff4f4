package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// How a form says who pays: the purse of who eats, the reader's own, or nobody
// before the meal is handed out.
const (
	payEater   = "eater"
	payOwn     = "own"
	payCounter = "counter"
)

// Steps of ordering, by the buttons that are pressed.
const (
	stepEdit    = "edit"
	stepConfirm = "confirm"
)

// orderForm is what the form of an order says.
type orderForm struct {
	// Portions are by the IDs of dishes.
	Portions map[string]int
	Way      v1alpha1.Way
	Wish     string
	Pay      string
	// Key makes the order once however often the form is sent.
	Key string
	// Seen is the price that the reader has seen, in fen; -1 if none was shown
	// yet.
	Seen int64
}

// orderView is what the pages of ordering and changing show.
type orderView struct {
	Served
	Now       time.Time
	Household household
	Eater     identity.Person
	// Old is the order that is changed; nil for a new one.
	Old *Order
	// Home is where the eater lives; Ways are the ways that are open to them.
	Home identity.Home
	Ways []v1alpha1.Way
	// Prices are what the eater pays for a portion, by the IDs of dishes, where
	// it is less; Tier is what that is called.
	Prices map[string]int64
	Tier   string
	// Purses are by the IDs of their owners; without those that are not known
	// just now.
	Purses map[string]purse

	who  Eater
	Form orderForm
	// Lines and Quote are what is asked for and what it costs.
	Lines []Line
	Quote Quote
	// Problem is why nothing was ordered, if that is no field's; Mistakes are
	// those of fields. Short says that there is too little money.
	Problem  string
	Mistakes map[string]string
	Short    bool
	// Existing is the order that there is already for this meal.
	Existing *Order
}

// whomView asks for whom a meal is.
type whomView struct {
	Served
	Now       time.Time
	Household household
	// Orders are those that there are already, by eater.
	Orders map[string]Order
}

// sitting is a published menu of a canteen that takes orders, or ErrNotFound.
func (s *service) sitting(ctx context.Context, sitting Sitting) (m Served, err error) {
	if m.Canteen, err = s.store.Canteen(ctx, sitting.Canteen); err != nil {
		return m, err
	}
	var ok bool
	if m.Meal, ok = m.Canteen.Meal(sitting.Meal); !ok {
		return m, ErrNotFound
	}
	if m.Menu, err = s.store.Menu(ctx, sitting); err != nil {
		return m, err
	}
	if m.Menu.PublishedAt.IsZero() {
		return m, ErrNotFound
	}
	m.Times = TimesOf(m.Meal, sitting.Day, s.location())
	return m, nil
}

// orderPage asks for whom a meal is, where there is a choice, and then for the
// order.
func (s *service) orderPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	sitting, err := sittingFrom(query)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	m, err := s.sitting(r.Context(), sitting)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h, v := household(s.household(r.Context())), s.pages.View(r)
	if len(h) > 1 && query.Get("for") == "" {
		orders, err := s.ordersByMeal(r.Context())
		if err != nil {
			s.fail(w, r, err)
			return
		}
		p := whomView{Served: m, Now: s.clock.Now(), Household: h, Orders: map[string]Order{}}
		for _, person := range h {
			if o, ok := orders[mealOf{sitting.Day, sitting.Meal, person.ID}]; ok {
				p.Orders[person.ID] = o
			}
		}
		s.pages.Render(w, r, http.StatusOK, whomPage(v, p))
		return
	}
	p, err := s.orderView(r.Context(), m, query.Get("for"), nil)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Form = p.first()
	s.pages.Render(w, r, http.StatusOK, orderPage(v, p))
}

// orderView prepares the pages on which a meal is ordered for a person of the
// household, or an order changed.
func (s *service) orderView(ctx context.Context, m Served, person string, old *Order) (p orderView, err error) {
	p = orderView{Served: m, Now: s.clock.Now(), Household: s.household(ctx), Old: old, Purses: map[string]purse{}, Mistakes: map[string]string{}}
	if p.Eater, err = s.member(ctx, person); err != nil {
		return p, err
	}
	if p.who, err = s.eater(ctx, p.Eater); err != nil {
		return p, err
	}
	p.Prices, p.Tier = s.prices(p.who, m.Menu)
	if slices.Contains(m.Meal.Ways, v1alpha1.WayDelivery) {
		if p.Home, err = s.people.Home(ctx, p.Eater.ID); err != nil && !errors.Is(err, identity.ErrNobody) {
			return p, err
		}
	}
	for _, way := range m.Meal.Ways {
		if way != v1alpha1.WayDelivery || slices.Contains(m.Canteen.DeliveryEstates, p.Home.Estate) {
			p.Ways = append(p.Ways, way)
		}
	}
	for _, owner := range []string{p.Eater.ID, p.Household[0].ID} {
		found, err := s.till.purse(ctx, owner)
		if err != nil {
			// An order is possible all the same: it waits for the purse.
			s.log.WarnContext(ctx, "a purse could not be looked at", "error", err.Error())
			continue
		}
		p.Purses[owner] = found
	}
	if old != nil {
		return p, nil
	}
	orders, err := s.ordersByMeal(ctx)
	if o, ok := orders[mealOf{m.Menu.Day, m.Meal.Name, p.Eater.ID}]; ok {
		p.Existing = &o
	}
	return p, err
}

// first is the form as it is shown at first.
func (p orderView) first() orderForm {
	f := orderForm{Portions: map[string]int{}, Key: uuid.NewString(), Seen: -1}
	if p.Old != nil {
		f.Way, f.Wish = p.Old.Way, p.Old.Wish
		for _, l := range p.Old.Lines {
			f.Portions[l.Dish] = l.Portions
		}
		return f
	}
	if len(p.Ways) > 0 {
		f.Way = p.Ways[0]
	}
	f.Pay = payCounter
	switch {
	case p.Purses[p.Eater.ID].Available > 0:
		f.Pay = payEater
	case p.Purses[p.Household[0].ID].Available > 0:
		f.Pay = payOwn
	}
	return f
}

// closed reports whether it is too late to order.
func (p orderView) closed() bool { return !p.Now.Before(p.CutOff) }

// most is how many portions of a dish can be had.
func (p orderView) most(item Item) int {
	n := item.Left()
	if p.Old != nil {
		for _, l := range p.Old.Lines {
			if l.Dish == item.Dish.ID.String() {
				n += l.Portions // those that they have already
			}
		}
	}
	for _, limit := range []int{item.MaxPerOrder, int(p.Canteen.MaxPortions)} {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}

// payer is whose purse pays; empty if none does.
func (p orderView) payer() string {
	switch {
	case p.Old != nil && p.Old.Payment == PayPurse:
		return p.Old.Payer
	case p.Old != nil || p.Form.Pay == payCounter:
		return ""
	case p.Form.Pay == payOwn:
		return p.Household[0].ID
	}
	return p.Eater.ID
}

// lacks is how much money the payer's purse lacks for what is asked for, in
// fen; 0 if it has enough or if that is not known.
func (p orderView) lacks() int64 {
	found, known := p.Purses[p.payer()]
	if !known {
		return 0
	}
	available := found.Available
	if p.Old != nil && p.Old.Money == MoneyHeld {
		available += p.Old.Pays()
	}
	return max(0, p.Quote.Pays()-available)
}

// content is what is asked for.
func (p orderView) content() Content {
	c := Content{Way: p.Form.Way, Wish: p.Form.Wish}
	for _, item := range p.Menu.Items {
		if id := item.Dish.ID.String(); p.Form.Portions[id] > 0 {
			c.Lines = append(c.Lines, Line{Dish: id, Portions: p.Form.Portions[id]})
		}
	}
	if c.Way == v1alpha1.WayDelivery {
		c.Home = p.Home
	}
	return c
}

// readOrder takes over what a form says.
func (p *orderView) readOrder(form url.Values) error {
	p.Form = orderForm{
		Portions: map[string]int{}, Way: v1alpha1.Way(form.Get("way")), Pay: form.Get("pay"), Key: form.Get("key"), Seen: -1,
		Wish: strings.Join(strings.Fields(form.Get("wish")), " "),
	}
	if uuid.Validate(p.Form.Key) != nil {
		return errBadForm
	}
	for _, item := range p.Menu.Items {
		id := item.Dish.ID.String()
		text := form.Get(portionsID(id))
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 10)
		if err != nil {
			return errBadForm
		}
		p.Form.Portions[id] = int(n)
	}
	if text := form.Get("seen"); text != "" {
		seen, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errBadForm
		}
		p.Form.Seen = seen
	}
	return nil
}

// portionsID is the field with the portions of a dish.
func portionsID(dish string) string { return "dish-" + dish }

// price finds out what the order costs, or which rule it breaks, as far as that
// can be known before it is placed.
func (s *service) price(p *orderView) *Refusal {
	want := p.content()
	if refusal := Check(p.Canteen, p.Menu, want, false, p.Now, s.location()); refusal != nil {
		return refusal
	}
	for _, l := range want.Lines {
		item, _ := p.Menu.Item(idOf(l.Dish))
		if most := p.most(item); l.Portions > most {
			return &Refusal{Rule: RuleSoldOut, Dish: l.Dish, Limit: int64(most)}
		}
	}
	p.Lines = want.Lines
	p.Quote = Price(s.spec().Tiers, p.who, p.Menu.Day, priced(p.Menu, want.Lines))
	if p.lacks() > 0 {
		return refuse(RuleMoney, 0, "there is too little in the purse")
	}
	return nil
}

// orderFromPage goes on with an order: shows what it costs, lets it be changed
// again, or places it and leads to its page. A form that is sent again, by a
// double tap or the back button, carries the same key and leads to the same
// order.
func (s *service) orderFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	sitting, err := sittingFrom(form)
	if err != nil {
		s.fail(w, r, errBadForm)
		return
	}
	if _, ok := identity.FromContext(r.Context()); !ok { // the session ended while the form was filled in
		signInFor(w, r, orderFormURL(sitting, form.Get("for")))
		return
	}
	m, err := s.sitting(r.Context(), sitting)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.orderView(r.Context(), m, form.Get("for"), nil)
	if err == nil {
		err = p.readOrder(form)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.goOn(w, r, form.Get("step"), p, func() (Order, error) {
		w, err := s.order(r.Context(), Wanted{
			Sitting: sitting, Content: p.content(), Payment: p.payment(), Payer: p.payer(), Key: p.Form.Key,
		}, p.Eater)
		if err != nil {
			return Order{}, err
		}
		return s.place(r.Context(), w)
	})
}

// payment is how the order is paid.
func (p orderView) payment() Payment {
	if p.payer() == "" {
		return PayCounter
	}
	return PayPurse
}

// goOn does the step of ordering or changing for which a form was sent: do
// places or changes the order.
func (s *service) goOn(w http.ResponseWriter, r *http.Request, step string, p orderView, do func() (Order, error)) {
	v := s.pages.View(r)
	if step == stepEdit {
		s.pages.Render(w, r, http.StatusOK, orderPage(v, p))
		return
	}
	var refusal *Refusal
	switch again := p.Existing != nil && step == stepConfirm; {
	case again:
		// It may be what this very form has made: then its key tells.
		p.Form.Seen = p.Quote.Pays()
	case p.Existing != nil:
		refusal = &Refusal{Rule: RuleOrdered}
	default:
		refusal = s.price(&p)
	}
	switch {
	case refusal != nil:
	case step != stepConfirm || p.Form.Seen != p.Quote.Pays():
		s.pages.Render(w, r, http.StatusOK, confirmPage(v, p))
		return
	default:
		o, err := do()
		if err == nil {
			http.Redirect(w, r, orderURL(o.ID)+"?"+url.Values{"done": {p.done()}}.Encode(), http.StatusSeeOther)
			return
		}
		var refused bool
		if refusal, refused = errors.AsType[*Refusal](err); refused {
			break
		}
		if errors.Is(err, ErrKeyReused) {
			// The form was changed after it had been accepted: what it made is
			// among the orders, and this is a new form.
			refusal, p.Form.Key = &Refusal{Rule: RuleOrdered}, uuid.NewString()
			break
		}
		if kept, keptErr := s.ownOf(r, o.ID); keptErr == nil {
			// The purse does not answer; the order waits for it, and its page says
			// so.
			s.log.WarnContext(r.Context(), "a payment is gone on with later", "order", kept.ID.String(), "error", err.Error())
			s.pages.Render(w, r, http.StatusServiceUnavailable, ownPage(v, kept))
			return
		}
		s.fail(w, r, err)
		return
	}
	p.refused(v, refusal)
	s.pages.Render(w, r, statusOf(refusal), orderPage(v, p))
}

// statusOf is how a refusal is answered: what others were quicker to do is a
// conflict.
func statusOf(r *Refusal) int {
	switch r.Rule {
	case RuleSoldOut, RuleOrdered, RuleEnded, RuleBusy:
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}

// done is what the page of the order says was done.
func (p orderView) done() string {
	if p.Old != nil {
		return doneChanged
	}
	return doneOrdered
}

// refused notes why an order was refused, beside the field that it is about.
func (p *orderView) refused(v web.View, refusal *Refusal) {
	text := refusalText(v, refusal, p.nameOf(v, refusal.Dish))
	field := ""
	switch refusal.Rule {
	case RuleSoldOut, RulePerOrder:
		field = portionsID(refusal.Dish)
	case RuleNothing, RulePortions:
		field = p.firstField()
	case RuleWay, RuleNoDelivery:
		field = "way"
	case RuleWishLength:
		field = "wish"
	case RuleMoney:
		p.Short = true
		if lacks := p.lacks(); lacks > 0 {
			text = v.T("canteen.refused.lacks", "Amount", v.Money(lacks))
		}
		if p.Old == nil {
			field = "pay"
		}
	}
	if field == "" {
		p.Problem = text
		return
	}
	p.Mistakes[field] = text
}

// nameOf is what a dish of the menu is called.
func (p orderView) nameOf(v web.View, dish string) string {
	item, _ := p.Menu.Item(idOf(dish))
	return dishName(v, item.Dish)
}

// firstField is the first field with which a dish can be chosen.
func (p orderView) firstField() string {
	for _, item := range p.Menu.Items {
		if p.most(item) > 0 {
			return portionsID(item.Dish.ID.String())
		}
	}
	return ""
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p orderView) mistakes() []web.FieldError {
	var mistakes []web.FieldError
	if p.Problem != "" {
		mistakes = append(mistakes, web.FieldError{Message: p.Problem})
	}
	fields := make([]string, 0, len(p.Menu.Items)+3)
	for _, item := range p.Menu.Items {
		fields = append(fields, portionsID(item.Dish.ID.String()))
	}
	for _, field := range append(fields, "way", "wish", "pay") {
		if message := p.Mistakes[field]; message != "" {
			mistakes = append(mistakes, web.FieldError{Field: field, Message: message})
		}
	}
	return mistakes
}
