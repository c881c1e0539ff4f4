package canteen

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
)

func (s *service) dishOperations(a *host.API) {
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "list-dishes", Method: http.MethodGet, Path: "/staff/dishes", Tags: []string{tagDishes}, Summary: "List the dishes",
	}, http.StatusUnprocessableEntity), answer(s, s.listDishes))
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "create-dish", Method: http.MethodPost, Path: "/staff/dishes", Tags: []string{tagDishes}, Summary: "Add a dish", DefaultStatus: http.StatusCreated,
	}, host.WithBody()...), answer(s, s.createDish))
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "change-dish", Method: http.MethodPut, Path: "/staff/dishes/{id}", Tags: []string{tagDishes}, Summary: "Change a dish",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.changeDish))
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "plan-menu", Method: http.MethodPut, Path: "/staff/menus/{canteen}/{date}/{meal}", Tags: []string{tagDishes},
		Summary: "Plan or publish a menu", Description: "Replaces the menu of the sitting. What was ordered of it cannot be taken away.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict)...), answer(s, s.planMenu))
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "copy-week", Method: http.MethodPost, Path: "/staff/menus/{canteen}/copy-week", Tags: []string{tagDishes},
		Summary: "Copy last week's menus", Description: "Into the week of the date, as drafts. Menus that are planned already stay as they are.",
	}, host.WithBody(http.StatusNotFound)...), answer(s, s.copyWeek))
}

func (s *service) kitchenOperations(a *host.API) {
	huma.Register(a, a.Staff(kitchen, huma.Operation{
		OperationID: "list-orders-of-meal", Method: http.MethodGet, Path: "/staff/orders", Tags: []string{tagKitchen},
		Summary: "List the orders of a meal",
	}, http.StatusUnprocessableEntity), answer(s, s.ordersOfMeal))
	huma.Register(a, a.Staff(counter, huma.Operation{
		OperationID: "place-order-for-somebody", Method: http.MethodPost, Path: "/staff/orders", Tags: []string{tagKitchen}, DefaultStatus: http.StatusCreated,
		Summary: "Order for somebody", Description: "For a resident by ID, or for somebody at the counter of whom at most a name is said, who pays there. Until the meal ends.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable)...), answer(s, s.orderForSomebody))
	for _, op := range []struct {
		name, summary string
		do            func(ctx context.Context, a Act) (Order, error)
	}{
		{"serve", "Tick an order off", s.serve},
		{"unserve", "Take back that an order was ticked off", s.store.Unserve},
		{"pay", "Note that an order was paid at the counter", s.pay},
		{"cancel", "Cancel somebody's order", s.cancel},
	} {
		huma.Register(a, a.Staff(counter, huma.Operation{
			OperationID: op.name + "-order-of-somebody", Method: http.MethodPost, Path: "/staff/orders/{id}/" + op.name, Tags: []string{tagKitchen}, Summary: op.summary,
		}, host.ByID(http.StatusConflict)...), answer(s, func(ctx context.Context, in *orderInput) (*orderOutput, error) {
			id, err := parseID(in.ID)
			if err != nil {
				return nil, err
			}
			return s.orderOut(op.do(ctx, s.staffAct(ctx, id)))
		}))
	}
}

func (s *service) subsidyOperations(a *host.API) {
	huma.Register(a, a.Staff(managers, huma.Operation{
		OperationID: "list-subsidies", Method: http.MethodGet, Path: "/staff/subsidies", Tags: []string{tagCounty},
		Summary: "Add up subsidies by month and tier",
	}, http.StatusUnprocessableEntity, http.StatusServiceUnavailable), answer(s, s.listSubsidies))
}

type apiDishBody struct {
	Name        string     `json:"name" minLength:"1" maxLength:"40"`
	EnglishName string     `json:"englishName,omitempty" maxLength:"80"`
	Description string     `json:"description,omitempty" maxLength:"200"`
	Kind        Kind       `json:"kind" enum:"Set,Meat,Vegetable,Staple,Soup"`
	Price       int64      `json:"price" minimum:"0" maximum:"100000" doc:"Of a portion without subsidy, in fen."`
	Allergens   []Allergen `json:"allergens,omitempty" enum:"Gluten,Crustaceans,Fish,Eggs,Peanuts,Soya,Milk,Nuts" maxItems:"8"`
	Tags        []Tag      `json:"tags,omitempty" enum:"Soft,LowSalt,Halal,Vegetarian" maxItems:"4"`
	Nutrition   Nutrition  `json:"nutrition,omitzero"`
	Version     int        `json:"version,omitempty" minimum:"0" doc:"The version that was read; of a new dish none."`
}

func (b apiDishBody) dish(id uuid.UUID) (Dish, error) {
	d := Dish{
		ID: id, Name: strings.TrimSpace(b.Name), EnglishName: b.EnglishName, Description: b.Description, Kind: b.Kind, Price: b.Price,
		Allergens: b.Allergens, Tags: b.Tags, Nutrition: b.Nutrition, Version: b.Version,
	}
	var details []error
	for _, m := range CheckDish(d) {
		details = append(details, &huma.ErrorDetail{Message: m.Text, Location: "body." + m.Field})
	}
	if details != nil {
		return d, huma.Error422UnprocessableEntity("validation failed", details...)
	}
	return d, nil
}

type apiStaffDish struct {
	APIDish
	Price   int64 `json:"price"`
	Retired bool  `json:"retired"`
	Version int   `json:"version"`
}

func apiStaffDishOf(d Dish) apiStaffDish {
	return apiStaffDish{apiDishOf(d), d.Price, d.Retired, d.Version}
}

type dishesOutput struct {
	Body struct {
		Dishes []apiStaffDish `json:"dishes"`
	}
}

type dishOutput struct{ Body apiStaffDish }

func (s *service) listDishes(ctx context.Context, in *struct {
	Retired bool `query:"retired" doc:"Also those that are not on offer any more."`
}) (*dishesOutput, error) {
	dishes, err := s.store.Dishes(ctx, in.Retired)
	if err != nil {
		return nil, err
	}
	out := &dishesOutput{}
	out.Body.Dishes = []apiStaffDish{}
	for _, d := range dishes {
		out.Body.Dishes = append(out.Body.Dishes, apiStaffDishOf(d))
	}
	return out, nil
}

func (s *service) createDish(ctx context.Context, in *struct{ Body apiDishBody }) (*dishOutput, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	in.Body.Version = 0
	return s.putDish(ctx, id, in.Body)
}

func (s *service) changeDish(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64" doc:"The dish's ID."`
	Body apiDishBody
}) (*dishOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Version == 0 {
		return nil, invalid("body.version", "say which version was read")
	}
	before, err := s.store.Dish(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := in.Body.dish(id)
	if err != nil {
		return nil, err
	}
	d.Photo, d.Retired = before.Photo, before.Retired
	d, err = s.store.PutDish(ctx, s.by(ctx), d)
	return &dishOutput{apiStaffDishOf(d)}, err
}

func (s *service) putDish(ctx context.Context, id uuid.UUID, b apiDishBody) (*dishOutput, error) {
	d, err := b.dish(id)
	if err != nil {
		return nil, err
	}
	d, err = s.store.PutDish(ctx, s.by(ctx), d)
	return &dishOutput{apiStaffDishOf(d)}, err
}

type planInput struct {
	Canteen string `path:"canteen" maxLength:"63" doc:"The canteen's name."`
	Date    string `path:"date" maxLength:"10" doc:"The day, YYYY-MM-DD."`
	Meal    string `path:"meal" maxLength:"63" doc:"The meal's name."`
	Body    struct {
		Items []struct {
			Dish        string `json:"dish" format:"uuid"`
			Price       *int64 `json:"price,omitempty" minimum:"0" maximum:"100000" doc:"In fen; the dish's own if left out."`
			Stock       int    `json:"stock" minimum:"0" maximum:"10000"`
			MaxPerOrder int    `json:"maxPerOrder,omitempty" minimum:"0" maximum:"10000"`
		} `json:"items" maxItems:"40"`
		Published bool `json:"published"`
		Version   int  `json:"version,omitempty" minimum:"0" doc:"The version that was read; 0 if there was no menu yet."`
	}
}

type apiPlan struct {
	APIMenu
	Published bool `json:"published"`
	Version   int  `json:"version"`
}

type planOutput struct{ Body apiPlan }

func (s *service) planMenu(ctx context.Context, in *planInput) (*planOutput, error) {
	day, err := parseDay("path.date", in.Date)
	if err != nil {
		return nil, err
	}
	c, err := s.store.Canteen(ctx, in.Canteen)
	if err != nil {
		return nil, err
	}
	meal, ok := c.Meal(in.Meal)
	if !ok {
		return nil, ErrNotFound
	}
	p := Plan{Sitting: Sitting{in.Canteen, day, in.Meal}, Published: in.Body.Published, Version: in.Body.Version}
	for i, item := range in.Body.Items {
		d, err := s.store.Dish(ctx, idOf(item.Dish))
		if err != nil {
			return nil, invalid(fmt.Sprintf("body.items[%d].dish", i), "there is no such dish")
		}
		price := d.Price
		if item.Price != nil {
			price = *item.Price
		}
		p.Items = append(p.Items, PlanItem{d.ID, price, item.Stock, item.MaxPerOrder})
	}
	if wrong := CheckPlan(p); len(wrong) > 0 {
		location := "body.items"
		if wrong[0].Item >= 0 {
			location = fmt.Sprintf("body.items[%d].%s", wrong[0].Item, wrong[0].Field)
		}
		return nil, invalid(location, wrong[0].Text)
	}
	m, err := s.store.PutMenu(ctx, s.by(ctx), p)
	if err != nil {
		return nil, err
	}
	return &planOutput{apiPlan{s.apiMenuOf(Served{c, meal, m, TimesOf(meal, day, s.location())}), !m.PublishedAt.IsZero(), m.Version}}, nil
}

type copyWeekInput struct {
	Canteen string `path:"canteen" maxLength:"63" doc:"The canteen's name."`
	Body    struct {
		Date string `json:"date" format:"date" maxLength:"10" doc:"A day of the week into which the menus are copied."`
	}
}

type copyWeekOutput struct {
	Body struct {
		Menus int `json:"menus" doc:"How many menus were made."`
	}
}

func (s *service) copyWeek(ctx context.Context, in *copyWeekInput) (*copyWeekOutput, error) {
	day, err := parseDay("body.date", in.Body.Date)
	if err != nil {
		return nil, err
	}
	out := &copyWeekOutput{}
	out.Body.Menus, err = s.store.CopyWeek(ctx, s.by(ctx), in.Canteen, mondayOf(day))
	return out, err
}

// mondayOf is the first day of a day's week.
func mondayOf(d civil.Date) civil.Date { return d.AddDays(-((int(d.Weekday()) + 6) % 7)) }

type ordersOfMealInput struct {
	Canteen string `query:"canteen" required:"true" maxLength:"63" doc:"The canteen's name."`
	Date    string `query:"date" required:"true" maxLength:"10" doc:"The day, YYYY-MM-DD."`
	Meal    string `query:"meal" required:"true" maxLength:"63" doc:"The meal's name."`
}

func (s *service) ordersOfMeal(ctx context.Context, in *ordersOfMealInput) (*ordersOutput, error) {
	day, err := parseDay("query.date", in.Date)
	if err != nil {
		return nil, err
	}
	orders, err := s.store.Look(ctx, s.by(ctx), Sitting{in.Canteen, day, in.Meal}, false, s.location())
	if err != nil {
		return nil, err
	}
	return s.ordersOut(orders), nil
}

type orderForSomebodyInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once, and answered with the order as it is now."`
	Body           struct {
		APISitting
		APIContent
		Person  string  `json:"person,omitempty" maxLength:"64" doc:"The ID of a resident; left out for somebody of whom there is no record."`
		Name    string  `json:"name,omitempty" maxLength:"60" doc:"What somebody without a record is called."`
		Payment Payment `json:"payment,omitempty" enum:"Purse,Counter" default:"Counter" doc:"From the eater's purse, or at the counter."`
	}
}

func (s *service) orderForSomebody(ctx context.Context, in *orderForSomebodyInput) (*orderOutput, error) {
	sitting, err := in.Body.sitting()
	if err != nil {
		return nil, err
	}
	w := Wanted{Sitting: sitting, Content: in.Body.content(), Payment: in.Body.Payment, Payer: in.Body.Person, Key: in.IdempotencyKey, Staff: true}
	if w, err = s.forSomebody(ctx, w, in.Body.Person, in.Body.Name); err != nil {
		return nil, err
	}
	return s.orderOut(s.place(ctx, w))
}

// forSomebody is an order by staff for a resident, or for a guest.
func (s *service) forSomebody(ctx context.Context, w Wanted, person, name string) (Wanted, error) {
	if person != "" {
		p, err := s.people.Person(ctx, person)
		if err != nil {
			return w, err
		}
		return s.order(ctx, w, p)
	}
	if w.Payment == PayPurse {
		return w, invalid("body.payment", "who has no record has no purse")
	}
	guest, err := newGuest()
	if err != nil {
		return w, err
	}
	w.Eater, w.OrderedBy, w.Name = guest, s.by(ctx).Actor, strings.TrimSpace(name)
	w.Now, w.Location = s.clock.Now(), s.location()
	return w, nil
}

type subsidiesInput struct {
	From string `query:"from" required:"true" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" maxLength:"7" example:"2026-01" doc:"The first month, YYYY-MM."`
	To   string `query:"to" required:"true" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" maxLength:"7" example:"2026-12" doc:"The last month, YYYY-MM."`
}

type apiSubsidy struct {
	Month   string `json:"month" example:"2026-11" doc:"Of the days under which the ledger has it."`
	Tier    string `json:"tier" doc:"Empty for those who paid all."`
	Orders  int    `json:"orders" doc:"How many were paid, less those whose money was given back."`
	Total   int64  `json:"total" doc:"What the meals cost, in fen."`
	Subsidy int64  `json:"subsidy" doc:"What of that the subsidy paid, in fen."`
}

type apiMonthCheck struct {
	Month         string `json:"month" example:"2026-11"`
	Total         int64  `json:"total" doc:"What the meals cost, in fen, over all tiers."`
	Subsidy       int64  `json:"subsidy" doc:"What of that the subsidy paid, in fen."`
	LedgerTotal   int64  `json:"ledgerTotal" doc:"What the ledger says that the canteen has earned."`
	LedgerSubsidy int64  `json:"ledgerSubsidy" doc:"What the ledger says that the subsidy has paid."`
}

type subsidiesOutput struct {
	Body struct {
		Subsidies []apiSubsidy    `json:"subsidies"`
		Months    []apiMonthCheck `json:"months" doc:"Each month held against the ledger. What differs is being entered at this moment, or a mistake."`
	}
}

func (s *service) listSubsidies(ctx context.Context, in *subsidiesInput) (*subsidiesOutput, error) {
	first, err := civil.ParseMonth(in.From)
	if err != nil {
		return nil, invalid("query.from", "write a month of the years 2000 to 2999 as YYYY-MM")
	}
	last, err := civil.ParseMonth(in.To)
	if err != nil || last < first {
		return nil, invalid("query.to", "write a month of the years 2000 to 2999 as YYYY-MM, not before the first")
	}
	rows, checks, err := s.checkedSubsidies(ctx, first, last)
	if err != nil {
		return nil, err
	}
	out := &subsidiesOutput{}
	out.Body.Subsidies, out.Body.Months = []apiSubsidy{}, []apiMonthCheck{}
	for _, row := range rows {
		out.Body.Subsidies = append(out.Body.Subsidies, apiSubsidy{string(row.Month), row.Tier, row.Orders, row.Total, row.Subsidy})
	}
	for _, c := range checks {
		out.Body.Months = append(out.Body.Months, apiMonthCheck{string(c.Month), c.Total, c.Subsidy, c.LedgerTotal, c.LedgerSubsidy})
	}
	return out, nil
}
