package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// menusView is a week of a canteen's menus.
type menusView struct {
	desk
	Canteens []Canteen
	Canteen  Canteen
	Monday   civil.Date
	Days     []menusDay
	// Meals are those of the canteen, and those that are only planned.
	Meals []v1alpha1.Meal
	// Unplanned is how many menus are still to be planned from now on.
	Unplanned int
}

// menusDay is a day of the week, with the menu of each meal.
type menusDay struct {
	Day   civil.Date
	Menus []menuOfDay
}

// menuOfDay is a meal of a day. Serves says that it is served as the week has it.
type menuOfDay struct {
	Menu
	Serves bool
}

func (s *service) weekOfMenus(r *http.Request) (v menusView, err error) {
	v.desk = s.desk(r, staffMenusPath)
	ctx := r.Context()
	if v.Canteens, err = s.store.Canteens(ctx); err != nil || len(v.Canteens) == 0 {
		return v, err
	}
	v.Canteen = v.Canteens[0]
	if name := r.URL.Query().Get("canteen"); name != "" {
		i := slices.IndexFunc(v.Canteens, func(c Canteen) bool { return c.Name == name })
		if i < 0 {
			return v, ErrNotFound
		}
		v.Canteen = v.Canteens[i]
	}
	day := s.today()
	if text := r.URL.Query().Get("week"); text != "" {
		if day, err = parseDay("week", text); err != nil {
			return v, ErrNotFound
		}
	}
	v.Monday = mondayOf(day)
	menus, err := s.store.Menus(ctx, v.Canteen.Name, v.Monday, v.Monday.AddDays(6), true)
	if err != nil {
		return v, err
	}
	v.fill(menus, s.today())
	return v, nil
}

// fill fills in the week's menus.
func (v *menusView) fill(menus []Menu, today civil.Date) {
	v.Meals = slices.Clone(v.Canteen.Meals)
	for _, m := range menus {
		if !slices.ContainsFunc(v.Meals, func(meal v1alpha1.Meal) bool { return meal.Name == m.Meal }) {
			v.Meals = append(v.Meals, v1alpha1.Meal{Name: m.Meal, DisplayName: m.Meal})
		}
	}
	for i := range 7 {
		day := menusDay{Day: v.Monday.AddDays(i)}
		for _, meal := range v.Meals {
			m := menuOfDay{Menu: Menu{Sitting: Sitting{v.Canteen.Name, day.Day, meal.Name}}}
			if _, ok := v.Canteen.Meal(meal.Name); ok {
				m.Serves = v.Canteen.Serves(meal, day.Day)
			}
			if at := slices.IndexFunc(menus, func(known Menu) bool { return known.Sitting == m.Sitting }); at >= 0 {
				m.Menu = menus[at]
			}
			if m.Serves && m.Version == 0 && day.Day.DaysSince(today) >= 0 {
				v.Unplanned++
			}
			day.Menus = append(day.Menus, m)
		}
		v.Days = append(v.Days, day)
	}
}

func (s *service) weekMenusPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.weekOfMenus(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, weekMenusPage(v))
}

// menusURL is the week of a canteen in which a day is.
func menusURL(canteen string, day civil.Date) string {
	return staffMenusPath + "?" + url.Values{"canteen": {canteen}, "week": {mondayOf(day).String()}}.Encode()
}

func (s *service) copyWeekFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	day, err := parseDay("week", r.PostForm.Get("week"))
	if err != nil {
		s.fail(w, r, errBadForm)
		return
	}
	canteen := r.PathValue("canteen")
	n, err := s.store.CopyWeek(r.Context(), s.by(r.Context()), canteen, mondayOf(day))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(menusURL(canteen, day), "copied")+"&count="+strconv.Itoa(n), http.StatusSeeOther)
}

// planView is what the form of a menu shows.
type planView struct {
	desk
	Served
	// Dishes are what can be chosen.
	Dishes []Dish
	Rows   []planRow
	// Version is the one that was seen.
	Version  int
	Mistakes map[string]string
	// Stale says that somebody else has changed the menu meanwhile.
	Stale bool
}

// planRow is a line of the form: what was chosen and typed. Taken is how many
// portions of the dish are ordered.
type planRow struct {
	Dish, Price, Stock, Most string
	Taken                    int
}

// spareRows is how many empty lines the form has at its end.
const spareRows = 4

// planView prepares the form of the menu that the address names, as it is.
func (s *service) planView(r *http.Request) (v planView, err error) {
	v.desk, v.Mistakes = s.desk(r, staffMenusPath), map[string]string{}
	if v.Served, err = s.sittingOfPath(r); err != nil {
		return v, err
	}
	if v.Dishes, err = s.store.Dishes(r.Context(), true); err != nil {
		return v, err
	}
	v.Dishes = slices.DeleteFunc(v.Dishes, func(d Dish) bool {
		_, planned := v.Menu.Item(d.ID)
		return d.Retired && !planned
	})
	v.Version = v.Menu.Version
	for _, item := range v.Menu.Items {
		row := planRow{Dish: item.Dish.ID.String(), Price: yuan(item.Price), Stock: strconv.Itoa(item.Stock), Taken: item.Taken}
		if item.MaxPerOrder > 0 {
			row.Most = strconv.Itoa(item.MaxPerOrder)
		}
		v.Rows = append(v.Rows, row)
	}
	v.pad()
	return v, nil
}

// pad adds empty lines, as far as a menu may have dishes.
func (v *planView) pad() {
	for range spareRows {
		if len(v.Rows) < maxItems {
			v.Rows = append(v.Rows, planRow{})
		}
	}
}

func (s *service) planPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.planView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, planPage(v))
}

// planField is the name of a field in a line of the form.
func planField(field string, row int) string { return field + "-" + strconv.Itoa(row) }

// read reads the form into a plan, and notes what is wrong.
func (v *planView) read(form url.Values) Plan {
	p := Plan{Sitting: v.Menu.Sitting, Published: form.Get("action") == "publish"}
	v.Version, _ = strconv.Atoi(form.Get("version")) // what is no version was changed meanwhile
	p.Version = v.Version
	v.Rows = nil
	rowOf := []int{}
	for i := range maxItems {
		row := planRow{
			Dish: form.Get(planField("dish", i)), Price: typed(form, planField("price", i)),
			Stock: typed(form, planField("stock", i)), Most: typed(form, planField("most", i)),
		}
		if row.Dish == "" {
			continue // what is left of a dish that was taken away
		}
		at := len(v.Rows)
		if known, ok := v.Menu.Item(idOf(row.Dish)); ok {
			row.Taken = known.Taken
		}
		v.Rows = append(v.Rows, row)
		p.Items, rowOf = append(p.Items, v.item(row, at)), append(rowOf, at)
	}
	for _, m := range CheckPlan(p) {
		field := ""
		if m.Item >= 0 {
			field = planField(map[string]string{"dish": "dish", "price": "price", "stock": "stock", "maxPerOrder": "most"}[m.Field], rowOf[m.Item])
		}
		if v.Mistakes[field] == "" {
			v.Mistakes[field] = v.T("canteen.staff.wrong.plan."+m.Field, "Count", maxStock, "Max", yuan(maxDishPrice))
		}
	}
	return p
}

// item reads a line of the form.
func (v *planView) item(row planRow, at int) (item PlanItem) {
	i := slices.IndexFunc(v.Dishes, func(d Dish) bool { return d.ID == idOf(row.Dish) })
	if i < 0 {
		v.Mistakes[planField("dish", at)] = v.T("canteen.staff.wrong.planDish")
		return item
	}
	item = PlanItem{Dish: v.Dishes[i].ID, Price: v.Dishes[i].Price}
	if row.Price != "" {
		var ok bool
		if item.Price, ok = parseYuan(row.Price); !ok {
			v.Mistakes[planField("price", at)] = v.T("canteen.staff.wrong.plan.price", "Max", yuan(maxDishPrice))
		}
	}
	for _, f := range []struct {
		name, text string
		to         *int
		optional   bool
	}{{"stock", row.Stock, &item.Stock, false}, {"most", row.Most, &item.MaxPerOrder, true}} {
		if f.text == "" && f.optional {
			continue
		}
		n, ok := parseDecimal(f.text, 0)
		if !ok {
			id := map[string]string{"stock": "canteen.staff.wrong.plan.stock", "most": "canteen.staff.wrong.plan.maxPerOrder"}[f.name]
			v.Mistakes[planField(f.name, at)] = v.T(id, "Count", maxStock)
		}
		*f.to = int(n)
	}
	return item
}

// savePlan keeps the menu of the form, or shows it again with what is wrong.
func (s *service) savePlan(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.planView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if _, ok := v.Canteen.Meal(v.Menu.Meal); !ok || v.Canteen.retired {
		s.fail(w, r, ErrNotFound)
		return
	}
	p := v.read(r.PostForm)
	if r.PostForm.Get("action") == "more" {
		v.Mistakes = map[string]string{} // nothing was to be kept yet
		v.pad()
		s.pages.Render(w, r, http.StatusOK, planPage(v))
		return
	}
	status := http.StatusUnprocessableEntity
	if len(v.Mistakes) == 0 {
		_, err := s.store.PutMenu(r.Context(), s.by(r.Context()), p)
		switch {
		case errors.Is(err, ErrStale):
			status, v.Stale, v.Version, v.Mistakes[""] = http.StatusConflict, true, v.Menu.Version, v.T("canteen.staff.staleMenu")
		case errors.Is(err, ErrInUse):
			status = http.StatusConflict
			v.inUse(p)
		case err != nil:
			s.fail(w, r, err)
			return
		default:
			done := map[bool]string{true: "planPublished", false: "plan"}[p.Published]
			http.Redirect(w, r, withDone(planURL(p.Sitting), done), http.StatusSeeOther)
			return
		}
	}
	v.pad()
	s.pages.Render(w, r, status, planPage(v))
}

// inUse says what of a plan cannot be, because it was ordered.
func (v *planView) inUse(p Plan) {
	if !p.Published && !v.Menu.PublishedAt.IsZero() {
		v.Mistakes[""] = v.T("canteen.staff.inUseDraft")
		return
	}
	for _, item := range v.Menu.Items {
		at := slices.IndexFunc(p.Items, func(i PlanItem) bool { return i.Dish == item.Dish.ID })
		switch {
		case item.Taken == 0:
		case at < 0:
			v.Mistakes[""] = v.T("canteen.staff.inUseDish", "Dish", dishName(v.View, item.Dish), "Count", item.Taken)
		case p.Items[at].Stock < item.Taken:
			v.Mistakes[planField("stock", at)] = v.T("canteen.staff.inUseStock", "Dish", dishName(v.View, item.Dish), "Count", item.Taken)
		}
	}
	if len(v.Mistakes) == 0 {
		v.Mistakes[""] = v.T("canteen.staff.staleMenu") // somebody has ordered in between
	}
}

// planURL is the form of a menu.
func planURL(s Sitting) string { return staffMenusPath + "/" + s.path() }

// mistakes are what the form says is wrong, in the order of its fields.
func (v planView) mistakes() []web.FieldError {
	fields := []string{""}
	for i := range v.Rows {
		for _, field := range []string{"dish", "price", "stock", "most"} {
			fields = append(fields, planField(field, i))
		}
	}
	return inOrder(v.Mistakes, fields...)
}

// dishOptions are the dishes to choose from, none of them first.
func (v planView) dishOptions() []web.Option {
	options := []web.Option{{Value: "", Label: v.T("canteen.staff.noDish")}}
	for _, d := range v.Dishes {
		options = append(options, web.Option{Value: d.ID.String(), Label: kindText(v.View, d.Kind) + " · " + dishName(v.View, d) + " " + v.Money(d.Price)})
	}
	return options
}

// nameOf is what the dish of a line is called; empty if none is chosen.
func (v planView) nameOf(row planRow) string {
	i := slices.IndexFunc(v.Dishes, func(d Dish) bool { return d.ID == idOf(row.Dish) })
	if i < 0 || idOf(row.Dish) == uuid.Nil {
		return ""
	}
	return dishName(v.View, v.Dishes[i])
}

// weekTable is the week: a line for each day, a column for each meal.
func weekTable(v menusView) web.Table {
	t := web.Table{Caption: v.T("canteen.staff.weekOf", "Day", v.ShortDay(noon(v.View, v.Monday))), Titled: true, Columns: []web.Column{{Label: v.T("canteen.staff.day")}}}
	for _, meal := range v.Meals {
		t.Columns = append(t.Columns, web.Column{Label: meal.DisplayName})
	}
	for _, day := range v.Days {
		row := []templ.Component{web.Text(dayText(v.View, day.Day))}
		for i, m := range day.Menus {
			row = append(row, weekCell(v, m, v.Meals[i]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// menuText are what a menu has.
func menuText(v web.View, m Menu) string {
	names := make([]string, len(m.Items))
	for i, item := range m.Items {
		names[i] = dishName(v, item.Dish)
	}
	return joined(v, names)
}
