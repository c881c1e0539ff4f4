package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages of standing orders.
const (
	standingsPath   = homePath + "standing"
	standingNewPath = standingsPath + "/new"
)

func standingURL(id uuid.UUID) string { return standingsPath + "/" + id.String() }

// mountStanding mounts the residents' pages of standing orders.
func (s *service) mountStanding(mux *host.Router, people *identity.Identity) {
	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, people.RequirePerson(h)) }
	personal("GET "+standingsPath, s.standingsPage)
	personal("GET "+standingNewPath, s.newStandingPage)
	personal("POST "+standingNewPath, s.makeStandingFromPage)
	personal("GET "+standingsPath+"/{id}", s.standingPage)
	personal("GET "+standingsPath+"/{id}/change", s.changeStandingPage)
	personal("POST "+standingsPath+"/{id}/change", s.changeStandingFromPage)
	personal("POST "+standingsPath+"/{id}/skip", s.skipFromPage)
	personal("POST "+standingsPath+"/{id}/want", s.wantFromPage)
	personal("POST "+standingsPath+"/{id}/pause", s.standingButton("paused", s.store.PauseStanding))
	personal("POST "+standingsPath+"/{id}/resume", s.standingButton("resumed", s.store.ResumeStanding))
	personal("GET "+standingsPath+"/{id}/end", s.endStandingPage)
	personal("POST "+standingsPath+"/{id}/end", s.standingButton("ended", func(ctx context.Context, a Act) (Standing, error) {
		return s.store.EndStanding(ctx, a, EndedBySelf)
	}))
}

// standingsView is what the page of a household's standing orders shows.
type standingsView struct {
	Household   household
	Today       civil.Date
	Live, Ended []Standing
	// Meals are what the meals are called, with their canteen.
	Meals map[uuid.UUID]string
	Done  string
}

func (s *service) standingsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.standingsView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, standingsPage(s.pages.View(r), p))
}

func (s *service) standingsView(r *http.Request) (p standingsView, err error) {
	p = standingsView{Household: s.household(r.Context()), Today: s.today(), Meals: map[uuid.UUID]string{}}
	all, err := s.store.Standings(r.Context(), s.reach(r.Context()))
	if err != nil {
		return p, err
	}
	for _, o := range all {
		if p.Meals[o.ID], err = s.mealAt(r, o); err != nil {
			return p, err
		}
		if o.State(p.Today) == StandingEnded {
			p.Ended = append(p.Ended, o)
		} else {
			p.Live = append(p.Live, o)
		}
	}
	return p, nil
}

// mealAt is what people call the meal of a standing order, with its canteen.
func (s *service) mealAt(r *http.Request, o Standing) (string, error) {
	meal, place, err := s.placeOf(r, o.Sitting(o.From))
	return meal + " · " + place, err
}

// standingView is what the page of a standing order shows.
type standingView struct {
	Standing
	Household household
	// MealName is what its meal is called, with its canteen.
	MealName string
	Today    civil.Date
	Ahead    []Ahead
	Dishes   map[uuid.UUID]Dish
	// Done is what the reader has just done, if anything; Cancelled and Late are
	// how many orders were cancelled and how many days could not be skipped by
	// it. Problem is why it was not done.
	Done            string
	Cancelled, Late int
	Problem         string
}

// The names of what was just done, by which messages are named.
var standingDone = []string{"made", "changed", "skipped", "wanted", "paused", "resumed", "ended"}

func (s *service) standingView(r *http.Request) (p standingView, err error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return p, err
	}
	ctx := r.Context()
	p = standingView{Household: s.household(ctx), Today: s.today()}
	if p.Standing, err = s.store.Standing(ctx, s.reach(ctx), id); err != nil {
		return p, err
	}
	if p.MealName, err = s.mealAt(r, p.Standing); err != nil {
		return p, err
	}
	if p.Ahead, err = s.store.Ahead(ctx, p.Standing, s.clock.Now(), s.location()); err != nil {
		return p, err
	}
	if p.Dishes, err = s.dishesAhead(ctx, p.Ahead); err != nil {
		return p, err
	}
	q := r.URL.Query()
	if slices.Contains(standingDone, q.Get("done")) {
		p.Done = q.Get("done")
	}
	p.Cancelled, _ = strconv.Atoi(q.Get("cancelled")) // most addresses have none
	p.Late, _ = strconv.Atoi(q.Get("late"))
	return p, nil
}

// dishesAhead are the dishes of days ahead, by ID.
func (s *service) dishesAhead(ctx context.Context, days []Ahead) (map[uuid.UUID]Dish, error) {
	var orders []Order
	for _, d := range days {
		orders = append(orders, d.Order, Order{Content: Content{Lines: d.Lines}})
	}
	return s.store.DishesOf(ctx, orders...)
}

func (s *service) standingPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.standingView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, standingPage(s.pages.View(r), p))
}

func (s *service) endStandingPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.standingView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if p.State(p.Today) == StandingEnded {
		http.Redirect(w, r, standingURL(p.ID), http.StatusSeeOther)
		return
	}
	s.pages.Render(w, r, http.StatusOK, endStandingPage(s.pages.View(r), p))
}

// standingButton is what a button at a standing order does. It leads back to its
// page, which says why if it was not done.
func (s *service) standingButton(done string, do func(ctx context.Context, a Act) (Standing, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.doStanding(w, r, func(a Act, _ url.Values) (url.Values, error) {
			_, err := do(r.Context(), a)
			return url.Values{"done": {done}}, err
		})
	}
}

// doStanding does what a form at a standing order is for. What do returns is
// said by the page to which it leads; nil if do has answered.
func (s *service) doStanding(w http.ResponseWriter, r *http.Request, do func(a Act, form url.Values) (url.Values, error)) {
	form, err := readForm(w, r)
	var id uuid.UUID
	if err == nil {
		id, err = parseID(r.PathValue("id"))
	}
	var said url.Values
	if err == nil {
		said, err = do(s.act(r.Context(), id), form)
	}
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		p, err := s.standingView(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		v := s.pages.View(r)
		p.Problem = standingRefusal(v, refusal)
		s.pages.Render(w, r, statusOf(refusal), standingPage(v, p))
	case err != nil:
		s.fail(w, r, err)
	case said != nil:
		http.Redirect(w, r, standingURL(id)+"?"+said.Encode(), http.StatusSeeOther)
	}
}

// standingRefusal says why something was not done with a standing order.
func standingRefusal(v web.View, r *Refusal) string {
	switch r.Rule {
	case RuleEnded:
		return v.T("canteen.standing.hasEnded")
	case RuleStandingMany:
		return v.T("canteen.standing.tooMany", "Limit", r.Limit)
	case ruleAway:
		return v.T("canteen.standing.wrong.away", "Limit", maxAhead)
	}
	return refusalText(v, r, "")
}

// ruleAway refuses days to skip that are none, or far too many.
const ruleAway Rule = "away"

// skipFromPage skips a day, or the days of a time away.
func (s *service) skipFromPage(w http.ResponseWriter, r *http.Request) {
	s.doStanding(w, r, func(a Act, form url.Values) (url.Values, error) {
		days, err := s.daysAway(form)
		if err != nil {
			return nil, err
		}
		_, done, err := s.store.SkipDays(r.Context(), a, days)
		if err != nil {
			return nil, err
		}
		s.gaveBack(r.Context(), done)
		return skipSaid(done), nil
	})
}

// skipSaid is what a page is told of skipping days.
func skipSaid(done Skipping) url.Values {
	return url.Values{"done": {"skipped"}, "cancelled": {strconv.Itoa(len(done.Cancelled))}, "late": {strconv.Itoa(len(done.TooLate))}}
}

// daysAway are the days that a form says are to be skipped: one, or from one
// until another.
func (s *service) daysAway(form url.Values) ([]civil.Date, error) {
	first, err := civil.ParseDate(typed(form, "away-from"))
	last := first
	if err == nil && typed(form, "away-until") != "" {
		last, err = civil.ParseDate(typed(form, "away-until"))
	}
	today := s.today()
	if err != nil || last.DaysSince(first) < 0 || last.DaysSince(today) < 0 || last.DaysSince(today) > maxAhead {
		return nil, refuse(ruleAway, maxAhead, "name the days, within %d days from today", maxAhead)
	}
	if first.DaysSince(today) < 0 {
		first = today
	}
	var days []civil.Date
	for day := first; day.DaysSince(last) <= 0; day = day.AddDays(1) {
		days = append(days, day)
	}
	return days, nil
}

// gaveBack gives back the money of orders that were cancelled because their days
// are skipped.
func (s *service) gaveBack(ctx context.Context, done Skipping) []Order {
	for _, o := range done.Cancelled {
		s.metrics.cancelled.Inc()
		s.quietly(ctx, o)
	}
	return done.Cancelled
}

func (s *service) wantFromPage(w http.ResponseWriter, r *http.Request) {
	s.doStanding(w, r, func(a Act, form url.Values) (url.Values, error) {
		day, err := civil.ParseDate(form.Get("day"))
		if err != nil {
			return nil, errBadForm
		}
		_, err = s.store.WantAgain(r.Context(), a, []civil.Date{day})
		return url.Values{"done": {"wanted"}}, err
	})
}

// standingForm is the form of a standing order, for residents and the staff.
type standingForm struct {
	// Eaters are who may eat; the first if there is only one. Meals are what can
	// be ordered, Ways how, Payments how it can be paid.
	Eaters, Meals, Ways, Payments []web.Option
	// What is chosen and was typed, as the form has it.
	Eater, Meal, From, Until, Way, Wish, Payment, Key string
	Weekdays, Kinds, Avoid, Require, Prefer           []string
	Mistakes                                          map[string]string
	// Begun says that the first day stays as it is, Version of what is changed
	// is the one that was seen.
	Begun   bool
	Version int
}

// standingFields are the fields of the form in their order.
var standingFields = []string{"", "for", "meal", "weekdays", "from", "until", "kinds", "avoid", "require", "prefer", "way", "wish", "payment"}

func (f standingForm) mistakes() []web.FieldError { return inOrder(f.Mistakes, standingFields...) }

// particular reports whether something is said of what dishes must be like.
func (f standingForm) particular() bool { return len(f.Avoid)+len(f.Require)+len(f.Prefer) > 0 }

// mealKey names a meal of a canteen in a form.
func mealKey(canteen, meal string) string { return canteen + "/" + meal }

// standingForm is the form with what an address or a form says of it.
func (s *service) standingForm(ctx context.Context, v web.View, values url.Values) (f standingForm, err error) {
	f = standingForm{
		Eater: values.Get("for"), Meal: values.Get("meal"), From: typed(values, "from"), Until: typed(values, "until"), Way: values.Get("way"),
		Wish: strings.Join(strings.Fields(values.Get("wish")), " "), Payment: values.Get("payment"), Key: values.Get("key"),
		Weekdays: values["weekdays"], Kinds: values["kinds"], Avoid: values["avoid"], Require: values["require"], Prefer: values["prefer"],
		Mistakes: map[string]string{},
	}
	canteens, err := s.store.Canteens(ctx)
	if err != nil {
		return f, err
	}
	ways := map[v1alpha1.Way]bool{}
	for _, c := range canteens {
		for _, m := range c.Meals {
			f.Meals = append(f.Meals, web.Option{Value: mealKey(c.Name, m.Name), Label: m.DisplayName + " · " + c.DisplayName, Detail: m.From + "–" + m.To})
			for _, way := range m.Ways {
				ways[way] = true
			}
		}
	}
	for _, way := range []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp, v1alpha1.WayDelivery} {
		if ways[way] {
			f.Ways = append(f.Ways, web.Option{Value: string(way), Label: howText(v, way)})
		}
	}
	return f, nil
}

// first fills in what is not said of a new form.
func (f *standingForm) first(today civil.Date) {
	f.Key = uuid.NewString()
	if f.Meal == "" && len(f.Meals) > 0 {
		f.Meal = f.Meals[0].Value
	}
	if f.Way == "" && len(f.Ways) > 0 {
		f.Way = f.Ways[0].Value
	}
	if f.From == "" {
		f.From = today.AddDays(1).String()
	}
	if f.Payment == "" && len(f.Payments) > 0 {
		f.Payment = f.Payments[0].Value
	}
}

// householdForm is the form for a resident and those for whom they may order.
func (s *service) householdForm(ctx context.Context, v web.View, values url.Values) (f standingForm, err error) {
	if f, err = s.standingForm(ctx, v, values); err != nil {
		return f, err
	}
	h := household(s.household(ctx))
	for _, p := range h {
		f.Eaters = append(f.Eaters, web.Option{Value: p.ID, Label: h.called(v, p.ID, p.Name)})
	}
	if f.Eater == "" && len(h) > 0 {
		f.Eater = h[0].ID
	}
	f.Payments = householdPayments(v, len(h) > 1)
	return f, nil
}

// householdPayments are how meals can be paid, of others too.
func householdPayments(v web.View, others bool) []web.Option {
	payments := []web.Option{{Value: payOwn, Label: v.T("canteen.pay.own")}, {Value: payCounter, Label: v.T("canteen.pay.counter")}}
	if others {
		return append([]web.Option{{Value: payEater, Label: v.T("canteen.standing.pay.eater")}}, payments...)
	}
	return payments
}

func (s *service) newStandingPage(w http.ResponseWriter, r *http.Request) {
	v := s.pages.View(r)
	f, err := s.householdForm(r.Context(), v, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f.first(s.today())
	s.pages.Render(w, r, http.StatusOK, newStandingPage(v, f))
}

// listOf are the values of a form as what they name.
func listOf[T ~string](values []string) []T {
	var list []T
	for _, value := range values {
		list = append(list, T(value))
	}
	return list
}

// terms are what the form asks for; what cannot be read is noted as a mistake.
func (f *standingForm) terms(v web.View) StandingTerms {
	t := StandingTerms{
		Way: v1alpha1.Way(f.Way), Wish: f.Wish,
		Dishes: DishWish{Kinds: listOf[Kind](f.Kinds), Avoid: listOf[Allergen](f.Avoid), Require: listOf[Tag](f.Require), Prefer: listOf[Tag](f.Prefer)},
	}
	t.Canteen, t.Meal, _ = strings.Cut(f.Meal, "/")
	for _, d := range weekdays { // Monday first
		if slices.Contains(f.Weekdays, string(d)) {
			t.Weekdays = append(t.Weekdays, d)
		}
	}
	var err error
	if t.From, err = civil.ParseDate(f.From); err != nil {
		f.Mistakes["from"] = v.T("canteen.standing.wrong.from")
	}
	if f.Until == "" {
		return t
	}
	if t.Until, err = civil.ParseDate(f.Until); err != nil {
		f.Mistakes["until"] = v.T("canteen.standing.wrong.until")
	}
	return t
}

// checkStanding says what is wrong with terms for an eater.
func (s *service) checkStanding(ctx context.Context, t StandingTerms, eater string) (StandingMistakes, error) {
	c, err := s.store.Canteen(ctx, t.Canteen)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	content := Content{Way: t.Way}
	if err := s.complete(ctx, eater, &content); err != nil {
		return nil, err
	}
	return CheckStanding(c, t, content.Home.Estate, s.today()), nil
}

// makeFrom makes the standing order that a form asks for, for an eater; false if
// it has mistakes, which are noted in it.
func (s *service) makeFrom(ctx context.Context, v web.View, f *standingForm, w StandingWanted) (o Standing, ok bool, err error) {
	if uuid.Validate(f.Key) != nil {
		return o, false, errBadForm
	}
	payer, payment := w.Payer, w.Payment
	w.StandingTerms = f.terms(v)
	w.Payer, w.Payment = payer, payment
	w.Key, w.Now = f.Key, s.clock.Now()
	wrong, err := s.checkStanding(ctx, w.StandingTerms, w.Eater)
	if err != nil {
		return o, false, err
	}
	for _, m := range wrong {
		if f.Mistakes[m.Field] == "" {
			f.Mistakes[m.Field] = v.T("canteen.standing.wrong." + m.Field)
		}
	}
	if len(f.Mistakes) > 0 {
		return o, false, nil
	}
	o, err = s.store.AddStanding(ctx, w)
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		f.Mistakes[""] = standingRefusal(v, refusal)
	case errors.Is(err, ErrKeyReused):
		// The form was changed after it had been accepted: this is a new one.
		f.Mistakes[""], f.Key = v.T("canteen.standing.sentAlready"), uuid.NewString()
	case err != nil:
		return o, false, err
	}
	return o, err == nil, nil
}

func (s *service) makeStandingFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, v := r.Context(), s.pages.View(r)
	f, err := s.householdForm(ctx, v, form)
	var eater identity.Person
	if err == nil {
		eater, err = s.member(ctx, f.Eater)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	caller, _ := identity.FromContext(ctx)
	want := StandingWanted{Eater: eater.ID, OrderedBy: caller.ID}
	want.Payment, want.Payer = paidWith(f.Payment, eater.ID, caller.ID)
	o, ok, err := s.makeFrom(ctx, v, &f, want)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case !ok:
		s.pages.Render(w, r, http.StatusUnprocessableEntity, newStandingPage(v, f))
	default:
		http.Redirect(w, r, standingURL(o.ID)+"?done=made", http.StatusSeeOther)
	}
}

// paidWith is what a form says of how somebody's meals are paid; no payment if
// that is none of what it offers. own is whose own purse could pay; empty if
// nobody's could but the eater's.
func paidWith(choice, eater, own string) (p Payment, payer string) {
	switch {
	case choice == payEater:
		return PayPurse, eater
	case choice == payOwn && own != "":
		return PayPurse, own
	case choice == payCounter:
		return PayCounter, ""
	}
	return "", ""
}

// likeThisURL is the form of a standing order for meals like an order.
func likeThisURL(o Order, dishes map[uuid.UUID]Dish, reader string) string {
	q := url.Values{"for": {o.Eater}, "meal": {mealKey(o.Canteen, o.Meal)}, "weekdays": {o.Day.Weekday().String()}, "way": {string(o.Way)}, "payment": {payCounter}}
	switch {
	case o.Payment == PayPurse && o.Payer == reader:
		q.Set("payment", payOwn)
	case o.Payment == PayPurse:
		q.Set("payment", payEater)
	}
	if o.Wish != "" {
		q.Set("wish", o.Wish)
	}
	for _, kind := range Kinds {
		if slices.ContainsFunc(o.Lines, func(l Line) bool { return dishes[idOf(l.Dish)].Kind == kind }) {
			q.Add("kinds", string(kind))
		}
	}
	return standingNewPath + "?" + q.Encode()
}
