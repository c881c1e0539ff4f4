package canteen

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// ways are the ways of meals in the order in which lists have them.
var ways = []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp, v1alpha1.WayDelivery}

// production is how many portions of a dish are to be cooked.
type production struct {
	Item
	Portions int
	ByWay    map[v1alpha1.Way]int
}

// produce adds up what the orders of a menu have of its dishes. waiting are the
// portions that are taken by orders which a purse is still asked about: they
// may be ordered in a moment, or given back.
func produce(m Menu, orders []Order) (dishes []production, waiting int) {
	dishes = make([]production, len(m.Items))
	at := map[string]int{}
	for i, item := range m.Items {
		dishes[i] = production{Item: item, ByWay: map[v1alpha1.Way]int{}}
		at[item.Dish.ID.String()] = i
		waiting += item.Taken
	}
	for _, o := range orders {
		for _, l := range o.Lines {
			if i, ok := at[l.Dish]; ok {
				dishes[i].Portions += l.Portions
				dishes[i].ByWay[o.Way] += l.Portions
				waiting -= l.Portions
			}
		}
	}
	return dishes, max(waiting, 0)
}

// section are the orders that are handed out in one way.
type section struct {
	Way    v1alpha1.Way
	Groups []group
	// Open is how many are still to be handed out, All how many there are.
	Open, All int
}

// group are orders that are brought to the same door of a building; all orders
// that are not brought are one.
type group struct {
	Home   identity.Home
	Orders []Order
}

// sections are orders by way. Those that are brought are grouped by estate, in
// the order of the estates, building and unit, and go from door to door.
func sections(orders []Order, estates []v1alpha1.Estate) (all []section) {
	for _, way := range ways {
		var list []Order
		for _, o := range orders {
			if o.Way == way {
				list = append(list, o)
			}
		}
		if len(list) == 0 {
			continue
		}
		s := section{Way: way, All: len(list)}
		for _, o := range list {
			if o.State != StateServed {
				s.Open++
			}
		}
		s.Groups = []group{{Orders: list}}
		if way == v1alpha1.WayDelivery {
			s.Groups = byDoor(list, estates)
		}
		all = append(all, s)
	}
	return all
}

func byDoor(orders []Order, estates []v1alpha1.Estate) (groups []group) {
	position := func(name string) int {
		return slices.IndexFunc(estates, func(e v1alpha1.Estate) bool { return e.Name == name })
	}
	slices.SortStableFunc(orders, func(a, b Order) int {
		return cmp.Or(position(a.Home.Estate)-position(b.Home.Estate), natural(a.Home.Building, b.Home.Building),
			natural(a.Home.Unit, b.Home.Unit), natural(a.Home.Room, b.Home.Room))
	})
	for _, o := range orders {
		door := o.Home
		door.Room = ""
		if n := len(groups); n == 0 || groups[n-1].Home != door {
			groups = append(groups, group{Home: door})
		}
		groups[len(groups)-1].Orders = append(groups[len(groups)-1].Orders, o)
	}
	return groups
}

// meant reports whether a search means an order: by a part of the name, or the
// first digits of the code.
func meant(o Order, query string) bool {
	return strings.Contains(strings.ToLower(o.Name), strings.ToLower(query)) || strings.HasPrefix(o.Code, query)
}

// mealView is what the page of a meal shows.
type mealView struct {
	desk
	Served
	Dishes []production
	// Waiting are portions of orders that a purse is still asked about.
	Waiting  int
	Wishes   []Order
	Sections []section
	// Query is what was searched for; Open says that only orders are shown that
	// are still to be handed out.
	Query string
	Open  bool
	// Orders is how many there are, Shown how many of them are shown.
	Orders, Shown int
	// List is what is to be printed: a way, or empty for what is to be cooked.
	List v1alpha1.Way
}

// mealView prepares a page of the meal that the address names. That it is
// looked at is recorded.
func (s *service) mealView(r *http.Request, printed bool) (v mealView, orders []Order, err error) {
	v.desk = s.desk(r, staffPath)
	if v.Served, err = s.sittingOfPath(r); err != nil {
		return v, nil, err
	}
	orders, err = s.store.Look(r.Context(), s.by(r.Context()), v.Menu.Sitting, printed, s.location())
	if err != nil {
		return v, nil, err
	}
	v.Orders = len(orders)
	v.Dishes, v.Waiting = produce(v.Menu, orders)
	for _, o := range orders {
		if o.Wish != "" {
			v.Wishes = append(v.Wishes, o)
		}
	}
	return v, orders, nil
}

func (s *service) mealPage(w http.ResponseWriter, r *http.Request) {
	v, orders, err := s.mealView(r, false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Query, v.Open = typed(r.URL.Query(), "q"), r.URL.Query().Get("show") == "open"
	orders = slices.DeleteFunc(orders, func(o Order) bool { return !meant(o, v.Query) || v.Open && o.State == StateServed })
	v.Shown, v.Sections = len(orders), sections(orders, v.Community.Spec.Estates)
	s.pages.Render(w, r, http.StatusOK, mealPage(v))
}

func (s *service) printPage(w http.ResponseWriter, r *http.Request) {
	list := v1alpha1.Way(r.URL.Query().Get("list"))
	if list != "" && !slices.Contains(ways, list) {
		s.fail(w, r, ErrNotFound)
		return
	}
	v, orders, err := s.mealView(r, true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.List = list
	orders = slices.DeleteFunc(orders, func(o Order) bool { return o.Way != list || o.State == StateMissed })
	v.Sections = sections(orders, v.Community.Spec.Estates)
	s.pages.Render(w, r, http.StatusOK, printPage(v))
}

// address is the page with what was searched for.
func (v mealView) address(query string, open bool) string {
	values := url.Values{}
	if query != "" {
		values.Set("q", query)
	}
	if open {
		values.Set("show", "open")
	}
	if len(values) == 0 {
		return mealURL(v.Menu.Sitting)
	}
	return mealURL(v.Menu.Sitting) + "?" + values.Encode()
}

// here is the page as it is shown.
func (v mealView) here() string { return v.address(v.Query, v.Open) }

func (v mealView) printURL(list v1alpha1.Way) string {
	address := mealURL(v.Menu.Sitting) + "/print"
	if list != "" {
		address += "?" + url.Values{"list": {string(list)}}.Encode()
	}
	return address
}

// waysHere are the ways in which the meal is handed out.
func (v mealView) waysHere() []v1alpha1.Way {
	return slices.DeleteFunc(slices.Clone(ways), func(w v1alpha1.Way) bool { return !slices.Contains(v.Meal.Ways, w) })
}

// title names the meal and its day.
func (v mealView) title() string { return v.Meal.DisplayName + " " + dayText(v.View, v.Menu.Day) }

// productionTable is what is to be cooked.
func productionTable(v mealView) web.Table {
	t := web.Table{Caption: v.T("canteen.staff.toCook"), Titled: true, Columns: []web.Column{
		{Label: v.T("canteen.staff.dish")}, {Label: v.T("canteen.staff.portions"), Number: true},
	}}
	split := v.waysHere()
	if len(split) < 2 {
		split = nil
	}
	for _, way := range split {
		t.Columns = append(t.Columns, web.Column{Label: wayText(v.View, way), Number: true})
	}
	t.Columns = append(t.Columns, web.Column{Label: v.T("canteen.staff.allergens")})
	for _, d := range v.Dishes {
		if d.Portions == 0 {
			continue // they are named beneath: what is to be cooked fits a phone then
		}
		row := []templ.Component{dishTitle(v.View, d.Dish), portions(d.Portions)}
		for _, way := range split {
			row = append(row, number(d.ByWay[way]))
		}
		t.Rows = append(t.Rows, append(row, web.Text(allergenText(v.View, d.Dish))))
	}
	return t
}

// unordered names the dishes of which nobody has ordered any.
func unordered(v mealView) string {
	var names []string
	for _, d := range v.Dishes {
		if d.Portions == 0 {
			names = append(names, dishName(v.View, d.Dish))
		}
	}
	return joined(v.View, names)
}

// handOutTable is a list to tick off with a pen.
func handOutTable(v mealView, list section, g group) web.Table {
	delivery := list.Way == v1alpha1.WayDelivery
	t := web.Table{Caption: wayText(v.View, list.Way), Titled: true, Columns: []web.Column{{Label: v.T("canteen.staff.who")}}}
	if delivery {
		t.Caption = doorText(v.View, g.Home)
		t.Columns[0].Label = v.T("canteen.staff.room")
	} else {
		t.Columns = append(t.Columns, web.Column{Label: v.T("canteen.staff.code"), Short: true})
	}
	t.Columns = append(t.Columns, web.Column{Label: v.T("canteen.staff.dishes")}, web.Column{Label: v.T("canteen.staff.payment"), Short: true},
		web.Column{Label: v.T("canteen.staff.handedOut"), Short: true})
	for _, o := range g.Orders {
		var row []templ.Component
		if delivery {
			row = []templ.Component{roomAndName(v.View, o)}
		} else {
			row = []templ.Component{web.Text(eaterName(v.View, o)), web.Text(o.Code)}
		}
		_, pay := payText(v.View, o)
		t.Rows = append(t.Rows, append(row, linesAndWish(v.View, v.Menu, o), web.Text(pay), ticked(v.View, o)))
	}
	return t
}

// doorText is the door of a building, to which several orders may go.
func doorText(v web.View, h identity.Home) string {
	h.Room = ""
	if h == (identity.Home{}) {
		return v.T("canteen.staff.noAddress")
	}
	return homeText(v, h)
}
