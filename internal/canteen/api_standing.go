package canteen

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

func (s *service) standingOperations(a *host.API) {
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "make-standing-order", Method: http.MethodPost, Path: "/standing-orders", Tags: []string{tagStanding}, DefaultStatus: http.StatusCreated,
		Summary: "Make a standing order", Description: "For oneself or somebody for whom the caller may order. Each day's meal is ordered from its menu, from a day before the cut-off on, as an order like any other.",
	}, host.WithBody(http.StatusConflict)...), answer(s, s.makeStanding))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "list-standing-orders", Method: http.MethodGet, Path: "/standing-orders", Tags: []string{tagStanding},
		Summary: "List standing orders", Description: "Those of the caller and of those for whom the caller may order, the newest first.",
	}), answer(s, s.listStanding))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "get-standing-order", Method: http.MethodGet, Path: "/standing-orders/{id}", Tags: []string{tagStanding},
		Summary: "Read a standing order", Description: "With what will become of its days in the next two weeks.",
	}, host.ByID()...), answer(s, s.getStanding))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "change-standing-order", Method: http.MethodPut, Path: "/standing-orders/{id}", Tags: []string{tagStanding},
		Summary: "Change a standing order", Description: "Replaces all that was asked for but who eats, the canteen and the meal: others make another standing order. " +
			"What is ordered already stays as it is, and can be changed by itself until its cut-off; days whose cut-off has passed are not made up for. " +
			"Repeated as it was, it is answered like the first time.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.changeStandingByAPI))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "set-skip-days", Method: http.MethodPut, Path: "/standing-orders/{id}/skip-days", Tags: []string{tagStanding},
		Summary: "Say which days to skip", Description: "Replaces those from today on. What is ordered for them already is cancelled; days whose cut-off has passed stay as they are. A day that is skipped no more is ordered again.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.setSkipDays))
	for name, do := range map[string]func(ctx context.Context, a Act) (Standing, error){"pause": s.store.PauseStanding, "resume": s.store.ResumeStanding} {
		huma.Register(a, a.Personal(huma.Operation{
			OperationID: name + "-standing-order", Method: http.MethodPost, Path: "/standing-orders/{id}/" + name, Tags: []string{tagStanding},
			Summary: map[string]string{"pause": "Pause a standing order", "resume": "Have a standing order go on"}[name], Description: "What is ordered already stays ordered.",
		}, host.ByID(http.StatusConflict)...), answer(s, func(ctx context.Context, in *standingInput) (*standingOutput, error) {
			return s.doneStanding(ctx, in.ID, do)
		}))
	}
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "end-standing-order", Method: http.MethodDelete, Path: "/standing-orders/{id}", Tags: []string{tagStanding},
		Summary: "End a standing order", Description: "For ever. What is ordered already stays ordered.",
	}, host.ByID(http.StatusConflict)...), answer(s, func(ctx context.Context, in *standingInput) (*standingOutput, error) {
		return s.doneStanding(ctx, in.ID, func(ctx context.Context, a Act) (Standing, error) { return s.store.EndStanding(ctx, a, EndedBySelf) })
	}))
}

type apiDishWish struct {
	Kinds   []Kind     `json:"kinds" enum:"Set,Meat,Vegetable,Staple,Soup" minItems:"1" maxItems:"5" doc:"One portion of a dish of each. A kind that cannot be had is left out, but nothing is ordered without any set, meat or vegetable dish that was asked for."`
	Avoid   []Allergen `json:"avoid,omitempty" enum:"Gluten,Crustaceans,Fish,Eggs,Peanuts,Soya,Milk,Nuts" maxItems:"8" doc:"Dishes that have one of these are never ordered."`
	Require []Tag      `json:"require,omitempty" enum:"Soft,LowSalt,Halal,Vegetarian" maxItems:"4" doc:"Dishes must have all of these."`
	Prefer  []Tag      `json:"prefer,omitempty" enum:"Soft,LowSalt,Halal,Vegetarian" maxItems:"4" doc:"Dishes with more of these are chosen first."`
}

// APIStandingTerms are what a standing order asks for, in the API.
type APIStandingTerms struct {
	Canteen string `json:"canteen" maxLength:"63"`
	Meal    string `json:"meal" maxLength:"63"`
	APIStandingWishes
}

// APIStandingWishes are what of it can be changed, beside who pays.
type APIStandingWishes struct {
	Weekdays []v1alpha1.Weekday `json:"weekdays" enum:"Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday" minItems:"1" maxItems:"7"`
	From     string             `json:"from" format:"date" maxLength:"10" doc:"The first day."`
	Until    string             `json:"until,omitempty" maxLength:"10" doc:"The last day; without end if left out."`
	Dishes   apiDishWish        `json:"dishes"`
	Way      v1alpha1.Way       `json:"way" enum:"EatIn,PickUp,Delivery"`
	Wish     string             `json:"wish,omitempty" maxLength:"100" doc:"What the kitchen should know."`
}

// terms are the wishes for a meal of a canteen.
func (a APIStandingWishes) terms(canteen, meal string) (t StandingTerms, err error) {
	t = StandingTerms{Canteen: canteen, Meal: meal, Dishes: DishWish(a.Dishes), Way: a.Way, Wish: a.Wish}
	for _, d := range weekdays { // Monday first, each once
		for _, asked := range a.Weekdays {
			if d == asked {
				t.Weekdays = append(t.Weekdays, d)
				break
			}
		}
	}
	if t.From, err = parseDay("body.from", a.From); err != nil || a.Until == "" {
		return t, err
	}
	t.Until, err = parseDay("body.until", a.Until)
	return t, err
}

type apiAhead struct {
	Date    string     `json:"date" format:"date"`
	State   AheadState `json:"state" enum:"Ordered,NotOrdered,Skipped,Paused,Closed,Over,NoMenuYet,WillOrder,CannotOrder"`
	Outcome Outcome    `json:"outcome,omitempty" doc:"Why nothing is ordered."`
	Order   string     `json:"order,omitempty" format:"uuid" doc:"The order that there is, or was."`
	Lines   []apiLine  `json:"lines,omitempty" doc:"What would be ordered, as the menu is now."`
}

type apiStanding struct {
	ID string `json:"id" format:"uuid"`
	APIStandingTerms
	Person    string        `json:"person" doc:"Who eats."`
	Payment   Payment       `json:"payment"`
	Payer     string        `json:"payer,omitempty" doc:"Whose purse pays."`
	State     StandingState `json:"state" enum:"Active,Paused,Ended"`
	Version   int           `json:"version" doc:"Rises when it is changed."`
	SkipDays  []string      `json:"skipDays"`
	CreatedAt time.Time     `json:"createdAt"`
	EndedAt   *time.Time    `json:"endedAt,omitempty"`
	Ending    Ending        `json:"ending,omitempty" doc:"Why it was ended: self, staff, not-allowed."`
	Days      []apiAhead    `json:"days,omitempty" doc:"The next two weeks; not in lists."`
	// Cancelled and TooLate are what came of skipping days.
	Cancelled []string `json:"cancelled,omitempty" doc:"Orders that were cancelled because their day is skipped."`
	TooLate   []string `json:"tooLate,omitempty" doc:"Days that could not be skipped any more."`
}

func (s *service) apiStandingOf(o Standing) apiStanding {
	out := apiStanding{
		ID: o.ID.String(), Person: o.Eater, Payment: o.Payment, Payer: o.Payer, State: o.State(s.today()), SkipDays: datesOf(o.Skips),
		CreatedAt: o.CreatedAt.In(s.location()), EndedAt: momentIn(o.EndedAt, s.location()), Ending: o.Ending,
		Version: o.Version, APIStandingTerms: APIStandingTerms{o.Canteen, o.Meal, APIStandingWishes{
			Weekdays: o.Weekdays, From: o.From.String(), Dishes: apiDishWish(o.Dishes), Way: o.Way, Wish: o.Wish,
		}},
	}
	if o.Until != (civil.Date{}) {
		out.Until = o.Until.String()
	}
	return out
}

// datesOf are days as the API writes them.
func datesOf(days []civil.Date) []string {
	out := make([]string, len(days))
	for i, day := range days {
		out[i] = day.String()
	}
	return out
}

type standingInput struct {
	ID string `path:"id" maxLength:"64" doc:"The standing order's ID."`
}

type standingOutput struct{ Body apiStanding }

// standingOut is a standing order with its days ahead.
func (s *service) standingOut(ctx context.Context, o Standing) (*standingOutput, error) {
	out := &standingOutput{s.apiStandingOf(o)}
	days, err := s.store.Ahead(ctx, o, s.clock.Now(), s.location())
	if err != nil {
		return nil, err
	}
	for _, d := range days {
		day := apiAhead{Date: d.Day.String(), State: d.State}
		if d.State == AheadNotOrdered || d.State == AheadCannot {
			day.Outcome = d.Outcome
		}
		if !d.Order.CreatedAt.IsZero() {
			day.Order = d.Order.ID.String()
		}
		for _, l := range d.Lines {
			day.Lines = append(day.Lines, apiLine{l.Dish, l.Portions})
		}
		out.Body.Days = append(out.Body.Days, day)
	}
	return out, nil
}

type makeStandingInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once, and answered with the standing order as it is now."`
	Body           struct {
		APIStandingTerms
		Person  string  `json:"person,omitempty" maxLength:"64" doc:"Who eats; the caller if left out."`
		Payment Payment `json:"payment,omitempty" enum:"Purse,Counter" default:"Purse" doc:"From a purse, or at the counter."`
		Payer   string  `json:"payer,omitempty" maxLength:"64" doc:"Whose purse pays: the eater's or the caller's; the eater's if left out."`
	}
}

func (s *service) makeStanding(ctx context.Context, in *makeStandingInput) (*standingOutput, error) {
	terms, err := in.Body.terms(in.Body.Canteen, in.Body.Meal)
	if err != nil {
		return nil, err
	}
	person, err := s.member(ctx, in.Body.Person)
	if err != nil {
		return nil, err
	}
	if terms.Payment = in.Body.Payment; terms.Payment == PayPurse {
		if terms.Payer, err = payerOf(ctx, in.Body.Payer, person); err != nil {
			return nil, err
		}
	}
	wrong, err := s.checkStanding(ctx, terms, person.ID)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, standingProblem(wrong)
	}
	caller, _ := identity.FromContext(ctx)
	o, err := s.store.AddStanding(ctx, StandingWanted{
		StandingTerms: terms, Eater: person.ID, OrderedBy: caller.ID, Key: in.IdempotencyKey, Now: s.clock.Now(),
	})
	if err != nil {
		return nil, err
	}
	return s.standingOut(ctx, o)
}

// standingProblem is what the API answers to mistakes.
func standingProblem(wrong StandingMistakes) error {
	var details []error
	for _, m := range wrong {
		field := m.Field
		switch field {
		case "payer":
			return errNotYours
		case "kinds", "avoid", "require", "prefer":
			field = "dishes." + field
		}
		details = append(details, &huma.ErrorDetail{Message: m.Text, Location: "body." + field})
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

type changeStandingInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The standing order's ID."`
	Body struct {
		APIStandingWishes
		Payment Payment `json:"payment" enum:"Purse,Counter" doc:"From a purse, or at the counter."`
		Payer   string  `json:"payer,omitempty" maxLength:"64" doc:"Whose purse pays: the eater's, the caller's, or the one that has paid until now; the eater's if left out."`
		Version int     `json:"version" minimum:"1" doc:"The version that was read."`
	}
}

func (s *service) changeStandingByAPI(ctx context.Context, in *changeStandingInput) (*standingOutput, error) {
	return s.doneStanding(ctx, in.ID, func(ctx context.Context, a Act) (Standing, error) {
		o, err := s.store.Standing(ctx, a.Reach, a.ID)
		if err != nil {
			return o, err
		}
		w := StandingChange{Version: in.Body.Version}
		if w.StandingTerms, err = in.Body.terms(o.Canteen, o.Meal); err != nil {
			return o, err
		}
		if w.Payment = in.Body.Payment; w.Payment == PayPurse {
			w.Payer = cmp.Or(in.Body.Payer, o.Eater)
		}
		o, err = s.changeStanding(ctx, a, o.Eater, w)
		if wrong, ok := errors.AsType[StandingMistakes](err); ok {
			err = standingProblem(wrong)
		}
		return o, err
	})
}

type standingsOutput struct {
	Body struct {
		StandingOrders []apiStanding `json:"standingOrders"`
	}
}

func (s *service) listStanding(ctx context.Context, _ *struct{}) (*standingsOutput, error) {
	list, err := s.store.Standings(ctx, s.reach(ctx))
	if err != nil {
		return nil, err
	}
	out := &standingsOutput{}
	out.Body.StandingOrders = []apiStanding{}
	for _, o := range list {
		out.Body.StandingOrders = append(out.Body.StandingOrders, s.apiStandingOf(o))
	}
	return out, nil
}

func (s *service) getStanding(ctx context.Context, in *standingInput) (*standingOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	o, err := s.store.Standing(ctx, s.reach(ctx), id)
	if err != nil {
		return nil, err
	}
	return s.standingOut(ctx, o)
}

// doneStanding does something with a standing order within reach.
func (s *service) doneStanding(ctx context.Context, text string, do func(ctx context.Context, a Act) (Standing, error)) (*standingOutput, error) {
	id, err := parseID(text)
	if err != nil {
		return nil, err
	}
	o, err := do(ctx, s.act(ctx, id))
	if err != nil {
		return nil, err
	}
	return s.standingOut(ctx, o)
}

type skipDaysInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The standing order's ID."`
	Body struct {
		Days []string `json:"days" maxItems:"366" doc:"YYYY-MM-DD, from today to 366 days ahead. Days that are not the standing order's are passed over."`
	}
}

func (s *service) setSkipDays(ctx context.Context, in *skipDaysInput) (*standingOutput, error) {
	var days []civil.Date
	for _, text := range in.Body.Days {
		day, err := parseDay("body.days", text)
		if err != nil {
			return nil, err
		}
		if ahead := day.DaysSince(s.today()); ahead < 0 || ahead > maxAhead {
			return nil, invalid("body.days", "name days from today to 366 days ahead")
		}
		days = append(days, day)
	}
	var done Skipping
	out, err := s.doneStanding(ctx, in.ID, func(ctx context.Context, a Act) (o Standing, err error) {
		o, done, err = s.store.SetSkips(ctx, a, days)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	for _, o := range s.gaveBack(ctx, done) {
		out.Body.Cancelled = append(out.Body.Cancelled, o.ID.String())
	}
	out.Body.TooLate = datesOf(done.TooLate)
	return out, nil
}
