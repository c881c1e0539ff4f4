package canteen

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

func (s *service) orderOperations(a *host.API) {
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "place-order", Method: http.MethodPost, Path: "/orders", Tags: []string{tagOrders}, DefaultStatus: http.StatusCreated,
		Summary: "Order a meal", Description: "For oneself or somebody for whom the caller may order, until the cut-off. The price is that of the eater's tier on the day of the meal.",
	}, host.WithBody(http.StatusConflict, http.StatusServiceUnavailable)...), answer(s, s.placeOrder))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "list-orders", Method: http.MethodGet, Path: "/orders", Tags: []string{tagOrders},
		Summary: "List orders", Description: "Those of the caller and of those for whom the caller may order.",
	}, http.StatusUnprocessableEntity), answer(s, s.listOrders))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/orders/{id}", Tags: []string{tagOrders},
		Summary: "Read an order",
	}, host.ByID()...), answer(s, s.getOrder))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "change-order", Method: http.MethodPut, Path: "/orders/{id}", Tags: []string{tagOrders},
		Summary: "Change an order", Description: "Until the cut-off. The order stays as it was if the purse has too little for the change.",
	}, host.WithBody(http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable)...), answer(s, s.changeOrder))
	huma.Register(a, a.Personal(huma.Operation{
		OperationID: "cancel-order", Method: http.MethodDelete, Path: "/orders/{id}", Tags: []string{tagOrders},
		Summary: "Cancel an order", Description: "Until the cut-off. What the purse held is free again.",
	}, host.ByID(http.StatusConflict)...), answer(s, s.cancelOrder))
}

type apiLine struct {
	Dish     string `json:"dish" format:"uuid"`
	Portions int    `json:"portions" minimum:"1" maximum:"1000"`
}

// APIContent is what an order has, in the API. It is exported because huma
// passes over embedded types that are not.
type APIContent struct {
	Lines []apiLine    `json:"lines" minItems:"1" maxItems:"40"`
	Way   v1alpha1.Way `json:"way" enum:"EatIn,PickUp,Delivery"`
	Wish  string       `json:"wish,omitempty" maxLength:"100" doc:"What the kitchen should know."`
}

func (c APIContent) content() Content {
	out := Content{Way: c.Way, Wish: c.Wish}
	for _, l := range c.Lines {
		out.Lines = append(out.Lines, Line{Dish: idOf(l.Dish).String(), Portions: l.Portions})
	}
	return out
}

// APISitting names a meal of a canteen on a day, in the API.
type APISitting struct {
	Canteen string `json:"canteen" maxLength:"63"`
	Date    string `json:"date" format:"date" maxLength:"10"`
	Meal    string `json:"meal" maxLength:"63"`
}

func (a APISitting) sitting() (Sitting, error) {
	day, err := parseDay("body.date", a.Date)
	return Sitting{Canteen: a.Canteen, Day: day, Meal: a.Meal}, err
}

type apiOrderLine struct {
	Dish     string `json:"dish" format:"uuid"`
	Portions int    `json:"portions"`
	Price    int64  `json:"price" doc:"Of a portion without subsidy, in fen."`
}

type apiOrder struct {
	ID      string         `json:"id" format:"uuid"`
	Canteen string         `json:"canteen"`
	Date    string         `json:"date" format:"date"`
	Meal    string         `json:"meal"`
	Person  string         `json:"person" doc:"Who eats."`
	Name    string         `json:"name"`
	Lines   []apiOrderLine `json:"lines"`
	Way     v1alpha1.Way   `json:"way"`
	Wish    string         `json:"wish,omitempty"`
	Tier    string         `json:"tier,omitempty" doc:"By which the subsidy pays a part."`
	Total   int64          `json:"total" doc:"What it costs without subsidy, in fen."`
	Subsidy int64          `json:"subsidy" doc:"What of that the subsidy pays, in fen."`
	Pays    int64          `json:"pays" doc:"What the eater pays, in fen."`
	Payment Payment        `json:"payment"`
	Paid    bool           `json:"paid"`
	State   State          `json:"state" enum:"Placing,Placed,Refused,Cancelled,Served,Missed"`
	Code    string         `json:"code" doc:"To be said when the meal is picked up."`
	// Changing says that the purse is still asked about another content.
	Changing  bool       `json:"changing,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	// StandingOrder is the one that made it.
	StandingOrder string `json:"standingOrder,omitempty" format:"uuid"`
}

func (s *service) apiOrderOf(o Order) apiOrder {
	out := apiOrder{
		ID: o.ID.String(), Canteen: o.Canteen, Date: o.Day.String(), Meal: o.Meal, Person: o.Eater, Name: o.Name, Lines: []apiOrderLine{},
		Way: o.Way, Wish: o.Wish, Tier: o.Tier, Total: o.Total, Subsidy: o.Subsidy, Pays: o.Pays(), Payment: o.Payment, Paid: o.paid(),
		State: o.State, Code: o.Code, Changing: o.Next != nil && o.State != StatePlacing,
		CreatedAt: o.CreatedAt.In(s.location()), EndedAt: momentIn(o.EndedAt, s.location()),
	}
	if o.Standing != uuid.Nil {
		out.StandingOrder = o.Standing.String()
	}
	for _, l := range o.Lines {
		out.Lines = append(out.Lines, apiOrderLine(l))
	}
	return out
}

// paid reports whether the order was paid.
func (o Order) paid() bool {
	switch o.Money {
	case MoneyCapture, MoneyCaptured, MoneySale, MoneySold:
		return true
	}
	return false
}

type orderOutput struct{ Body apiOrder }

func (s *service) orderOut(o Order, err error) (*orderOutput, error) {
	if err != nil {
		return nil, err
	}
	return &orderOutput{s.apiOrderOf(o)}, nil
}

type placeOrderInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"A name for this request, chosen by the caller: repeated within a day it is done once, and answered with the order as it is now."`
	Body           struct {
		APISitting
		APIContent
		Person  string  `json:"person,omitempty" maxLength:"64" doc:"Who eats; the caller if left out."`
		Payment Payment `json:"payment,omitempty" enum:"Purse,Counter" default:"Purse" doc:"From a purse, or at the counter."`
		Payer   string  `json:"payer,omitempty" maxLength:"64" doc:"Whose purse pays: the eater's or the caller's; the eater's if left out."`
	}
}

func (s *service) placeOrder(ctx context.Context, in *placeOrderInput) (*orderOutput, error) {
	sitting, err := in.Body.sitting()
	if err != nil {
		return nil, err
	}
	person, err := s.member(ctx, in.Body.Person)
	if err != nil {
		return nil, err
	}
	payer, err := payerOf(ctx, in.Body.Payer, person)
	if err != nil {
		return nil, err
	}
	w, err := s.order(ctx, Wanted{
		Sitting: sitting, Content: in.Body.content(), Payment: in.Body.Payment, Payer: payer, Key: in.IdempotencyKey,
	}, person)
	if err != nil {
		return nil, err
	}
	return s.orderOut(s.place(ctx, w))
}

// payerOf is whose purse pays for what somebody eats: the one that is asked for,
// if it is the eater's or the caller's, or else the eater's. To order for others
// is not to have one of them pay for another.
func payerOf(ctx context.Context, asked string, eater identity.Person) (string, error) {
	caller, _ := identity.FromContext(ctx)
	switch asked {
	case "", eater.ID:
		return eater.ID, nil
	case caller.ID:
		return caller.ID, nil
	}
	return "", errNotYours
}

type listOrdersInput struct {
	When string `query:"when" enum:"upcoming,past" default:"upcoming" doc:"Meals from today on, the earliest first; or those before, the latest first."`
}

// maxListed is how many orders are listed at most.
const maxListed = 200

type ordersOutput struct {
	Body struct {
		Orders []apiOrder `json:"orders"`
	}
}

func (s *service) listOrders(ctx context.Context, in *listOrdersInput) (*ordersOutput, error) {
	orders, err := s.store.Orders(ctx, s.reach(ctx), s.today(), in.When == "past", maxListed)
	if err != nil {
		return nil, err
	}
	return s.ordersOut(orders), nil
}

func (s *service) ordersOut(orders []Order) *ordersOutput {
	out := &ordersOutput{}
	out.Body.Orders = []apiOrder{}
	for _, o := range orders {
		out.Body.Orders = append(out.Body.Orders, s.apiOrderOf(o))
	}
	return out
}

type orderInput struct {
	ID string `path:"id" maxLength:"64" doc:"The order's ID."`
}

func (s *service) getOrder(ctx context.Context, in *orderInput) (*orderOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	return s.orderOut(s.store.Order(ctx, s.reach(ctx), id))
}

type changeOrderInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The order's ID."`
	Body APIContent
}

func (s *service) changeOrder(ctx context.Context, in *changeOrderInput) (*orderOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	return s.orderOut(s.changeBy(ctx, s.act(ctx, id), in.Body.content()))
}

// changeBy changes an order within reach at the prices of its eater.
func (s *service) changeBy(ctx context.Context, a Act, want Content) (Order, error) {
	o, err := s.store.Order(ctx, a.Reach, a.ID)
	if err != nil {
		return o, err
	}
	var who Eater
	if !isGuest(o.Eater) {
		p, err := s.people.Person(ctx, o.Eater)
		if err != nil {
			return o, err
		}
		if who, err = s.eater(ctx, p); err != nil {
			return o, err
		}
	}
	if err := s.complete(ctx, o.Eater, &want); err != nil {
		return o, err
	}
	return s.change(ctx, a, want, who, s.spec().Tiers)
}

func (s *service) cancelOrder(ctx context.Context, in *orderInput) (*orderOutput, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	return s.orderOut(s.cancel(ctx, s.act(ctx, id)))
}
