package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/web"
)

// staffCanteensPath is where managers keep the canteens.
const staffCanteensPath = staffPath + "canteens/"

func canteenURL(name string) string { return staffCanteensPath + url.PathEscape(name) }

func mealFormURL(canteen, meal string) string {
	return canteenURL(canteen) + "/meals/" + url.PathEscape(meal)
}

// kept says that managers change the canteens in the pages, not the county in
// the manifest.
func (d desk) kept() bool {
	c := d.Community.Spec.Services.Canteen
	return c != nil && c.ManagedBy != v1alpha1.ManagedByManifest
}

// keeps lets only go on where managers keep the canteens.
func (s *service) keeps(w http.ResponseWriter, r *http.Request, d desk) bool {
	if !d.kept() {
		s.pages.Error(w, r, http.StatusForbidden)
	}
	return d.kept()
}

// staffCanteensView is what the list of canteens shows.
type staffCanteensView struct {
	desk
	Canteens, Retired []Canteen
}

func (s *service) staffCanteensPage(w http.ResponseWriter, r *http.Request) {
	v := staffCanteensView{desk: s.desk(r, staffCanteensPath)}
	var err error
	if v.Canteens, err = s.store.Canteens(r.Context()); err == nil {
		v.Retired, err = s.store.RetiredCanteens(r.Context())
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffCanteensPage(v))
}

// placeView is what the forms of a canteen and of its meals show.
type placeView struct {
	desk
	// Canteen is the canteen as it is; its version is 0 for a new one.
	Canteen Canteen
	// Meal is the meal of the form; its name is empty for a new one.
	Meal v1alpha1.Meal
	// Values and Lists are what was typed and chosen, by field; those of a meal
	// begin with "meal-". Version is the one that was seen.
	Values   map[string]string
	Lists    map[string][]string
	Version  int
	Mistakes map[string]string
}

// placeView is the form as a canteen and a meal fill it in.
func (s *service) placeView(r *http.Request, c Canteen, m v1alpha1.Meal) placeView {
	v := placeView{desk: s.desk(r, staffCanteensPath), Canteen: c, Meal: m, Version: c.Version, Mistakes: map[string]string{}}
	v.Values = map[string]string{
		"name": c.Name, "displayName": c.DisplayName, "description": c.Description, "maxPortions": strconv.Itoa(int(c.MaxPortions)),
		"closedDates": strings.Join(c.ClosedDates, "\n"),
		"meal-name":   m.Name, "meal-displayName": m.DisplayName, "meal-from": m.From, "meal-to": m.To, "meal-cutOff": m.CutOff,
		"meal-cutOffDaysBefore": strconv.Itoa(int(m.CutOffDaysBefore)),
	}
	v.Lists = map[string][]string{"deliveryEstates": c.DeliveryEstates}
	for _, d := range m.Days {
		v.Lists["meal-days"] = append(v.Lists["meal-days"], string(d))
	}
	for _, way := range m.Ways {
		v.Lists["meal-ways"] = append(v.Lists["meal-ways"], string(way))
	}
	return v
}

// newMeal is what the form of a new meal has filled in.
func newMeal() v1alpha1.Meal {
	return v1alpha1.Meal{DisplayName: "午餐", From: "11:00", To: "12:30", CutOff: "09:00", Ways: []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp}}
}

// canteenOfPath is the canteen that the address names.
func (s *service) canteenOfPath(r *http.Request) (Canteen, error) {
	return s.store.Canteen(r.Context(), r.PathValue("canteen"))
}

func (s *service) newCanteenPage(w http.ResponseWriter, r *http.Request) {
	v := s.placeView(r, Canteen{CanteenPlace: v1alpha1.CanteenPlace{MaxPortions: 6}}, newMeal())
	if s.keeps(w, r, v.desk) {
		s.pages.Render(w, r, http.StatusOK, canteenPage(v))
	}
}

func (s *service) canteenPage(w http.ResponseWriter, r *http.Request) {
	c, err := s.canteenOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, canteenPage(s.placeView(r, c, v1alpha1.Meal{})))
}

// makeCanteen adds a canteen with its first meal.
func (s *service) makeCanteen(w http.ResponseWriter, r *http.Request) {
	v := s.placeView(r, Canteen{}, v1alpha1.Meal{})
	if !s.keeps(w, r, v.desk) || !s.staffForm(w, r) {
		return
	}
	v.take(r.PostForm)
	spec := v.readPlace(v1alpha1.CanteenPlace{Name: v.Values["name"]})
	spec.Meals = []v1alpha1.Meal{v.readMeal(v1alpha1.Meal{Name: v.Values["meal-name"]})}
	v.check(spec)
	v.checkMeal(spec, spec.Meals[0])
	s.savePlace(w, r, v, spec, canteenPage, staffCanteensPath)
}

func (s *service) changeCanteenFromPage(w http.ResponseWriter, r *http.Request) {
	c, err := s.canteenOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.placeView(r, c, v1alpha1.Meal{})
	if !s.keeps(w, r, v.desk) || !s.staffForm(w, r) {
		return
	}
	v.take(r.PostForm)
	spec := v.readPlace(c.CanteenPlace)
	v.check(spec)
	s.savePlace(w, r, v, spec, canteenPage, canteenURL(c.Name))
}

func (s *service) mealFormPage(w http.ResponseWriter, r *http.Request) {
	c, m, err := s.mealOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, mealFormPage(s.placeView(r, c, m)))
}

func (s *service) newMealPage(w http.ResponseWriter, r *http.Request) {
	c, err := s.canteenOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if v := s.placeView(r, c, newMeal()); s.keeps(w, r, v.desk) {
		s.pages.Render(w, r, http.StatusOK, mealFormPage(v))
	}
}

// mealOfPath is the meal that the address names, with its canteen; without a
// name there it is a new one.
func (s *service) mealOfPath(r *http.Request) (Canteen, v1alpha1.Meal, error) {
	c, err := s.canteenOfPath(r)
	name := r.PathValue("meal")
	if err != nil || name == "" {
		return c, v1alpha1.Meal{}, err
	}
	m, ok := c.Meal(name)
	if !ok {
		err = ErrNotFound
	}
	return c, m, err
}

// saveMeal keeps a meal of a canteen, new or not.
func (s *service) saveMeal(w http.ResponseWriter, r *http.Request) {
	c, before, err := s.mealOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.placeView(r, c, before)
	if !s.keeps(w, r, v.desk) || !s.staffForm(w, r) {
		return
	}
	v.take(r.PostForm)
	spec := *c.DeepCopy()
	if before.Name == "" {
		m := v.readMeal(v1alpha1.Meal{Name: v.Values["meal-name"]})
		if _, taken := c.Meal(m.Name); taken {
			v.Mistakes["meal-name"] = v.T("canteen.place.wrong.taken")
		}
		if len(spec.Meals) >= maxMeals {
			v.Mistakes[""] = v.T("canteen.place.wrong.meals", "Count", maxMeals)
		}
		spec.Meals = append(spec.Meals, m)
		v.checkMeal(spec, m)
	} else {
		i := slices.IndexFunc(spec.Meals, func(m v1alpha1.Meal) bool { return m.Name == before.Name })
		spec.Meals[i] = v.readMeal(before)
		v.checkMeal(spec, spec.Meals[i])
	}
	s.savePlace(w, r, v, spec, mealFormPage, canteenURL(c.Name))
}

// removeMeal takes a meal off a canteen, unless it was ordered or is the last.
func (s *service) removeMeal(w http.ResponseWriter, r *http.Request) {
	c, m, err := s.mealOfPath(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.placeView(r, c, m)
	if !s.keeps(w, r, v.desk) {
		return
	}
	spec := *c.DeepCopy()
	spec.Meals = slices.DeleteFunc(spec.Meals, func(one v1alpha1.Meal) bool { return one.Name == m.Name })
	if len(spec.Meals) == 0 {
		v.Mistakes[""] = v.T("canteen.place.wrong.lastMeal")
	}
	s.savePlace(w, r, v, spec, mealFormPage, canteenURL(c.Name))
}

// savePlace keeps a canteen and leads on, or shows its form again with what is
// wrong.
func (s *service) savePlace(w http.ResponseWriter, r *http.Request, v placeView, spec v1alpha1.CanteenPlace, again placePage, to string) {
	status := http.StatusUnprocessableEntity
	if len(v.Mistakes) == 0 {
		err := s.store.SaveCanteen(r.Context(), s.by(r.Context()), spec, v.Version)
		ahead, ordered := errors.AsType[*OrdersAhead](err)
		status = http.StatusConflict
		switch {
		case err == nil:
			http.Redirect(w, r, withDone(to, "place"), http.StatusSeeOther)
			return
		case ordered:
			v.Mistakes[""] = v.T("canteen.place.wrong.ordered", "Count", ahead.Orders)
		case errors.Is(err, ErrTaken):
			v.Mistakes["name"] = v.T("canteen.place.wrong.taken")
		case errors.Is(err, ErrStale):
			v.Version, v.Mistakes[""] = v.Canteen.Version, v.T("canteen.place.wrong.stale")
		default:
			s.fail(w, r, err)
			return
		}
	}
	s.pages.Render(w, r, status, again(v))
}

func (s *service) retireCanteenFromPage(retired bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.canteenOfPath(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		v := s.placeView(r, c, v1alpha1.Meal{})
		if !s.keeps(w, r, v.desk) {
			return
		}
		err = s.store.RetireCanteen(r.Context(), s.by(r.Context()), c.Name, retired)
		if ahead, ordered := errors.AsType[*OrdersAhead](err); ordered {
			v.Mistakes[""] = v.T("canteen.place.wrong.ordered", "Count", ahead.Orders)
			s.pages.Render(w, r, http.StatusConflict, canteenPage(v))
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		http.Redirect(w, r, withDone(staffCanteensPath, map[bool]string{true: "placeRetired", false: "placeRestored"}[retired]), http.StatusSeeOther)
	}
}

// take takes over what was typed and chosen.
func (v *placeView) take(form url.Values) {
	for field := range v.Values {
		if form.Has(field) {
			v.Values[field] = typed(form, field)
		}
	}
	for _, field := range []string{"displayName", "meal-displayName"} { // with the signs as they were written
		v.Values[field] = oneLine(form.Get(field))
	}
	for _, field := range []string{"description", "closedDates"} {
		v.Values[field] = strings.TrimSpace(strings.ReplaceAll(form.Get(field), "\r\n", "\n"))
	}
	for _, field := range []string{"deliveryEstates", "meal-days", "meal-ways"} {
		v.Lists[field] = form[field]
	}
	v.Version = 0
	if v.Canteen.Version > 0 {
		v.Version = -1 // what is no version was changed meanwhile
		if n, err := strconv.Atoi(form.Get("version")); err == nil && n > 0 {
			v.Version = n
		}
	}
}

// readPlace is a canteen as the form changes it.
func (v *placeView) readPlace(before v1alpha1.CanteenPlace) v1alpha1.CanteenPlace {
	after := *before.DeepCopy()
	after.DisplayName, after.Description = v.Values["displayName"], v.Values["description"]
	after.MaxPortions = smallNumber(v.Values["maxPortions"])
	after.DeliveryEstates = nil
	for _, e := range v.Community.Spec.Estates { // those that there are, once, in their order
		if slices.Contains(v.Lists["deliveryEstates"], e.Name) {
			after.DeliveryEstates = append(after.DeliveryEstates, e.Name)
		}
	}
	var wrong string
	if after.ClosedDates, wrong = closedDatesOf(v.Values["closedDates"]); wrong != "" {
		v.Mistakes["closedDates"] = v.T("canteen.place.wrong.date", "Text", wrong)
	}
	return after
}

// readMeal is a meal as the form changes it.
func (v *placeView) readMeal(before v1alpha1.Meal) v1alpha1.Meal {
	after := *before.DeepCopy()
	after.DisplayName = v.Values["meal-displayName"]
	after.From, after.To, after.CutOff = v.Values["meal-from"], v.Values["meal-to"], v.Values["meal-cutOff"]
	after.CutOffDaysBefore = smallNumber(v.Values["meal-cutOffDaysBefore"])
	after.Days, after.Ways = nil, nil
	for _, d := range v.Lists["meal-days"] {
		after.Days = append(after.Days, v1alpha1.Weekday(d))
	}
	for _, way := range v.Lists["meal-ways"] {
		after.Ways = append(after.Ways, v1alpha1.Way(way))
	}
	return after
}

// smallNumber reads a small number; -1 if it is none.
func smallNumber(text string) int32 {
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil {
		return -1
	}
	return int32(n)
}

// check notes what is wrong with a canteen.
func (v *placeView) check(spec v1alpha1.CanteenPlace) {
	for _, field := range CheckPlace(spec) {
		if field == "deliveryEstates" && v.Canteen.Version == 0 {
			continue // said beside the ways of its meal
		}
		v.wrong(field, "canteen.place.wrong."+field)
	}
}

// checkMeal notes what is wrong with a meal of a canteen.
func (v *placeView) checkMeal(spec v1alpha1.CanteenPlace, m v1alpha1.Meal) {
	for _, field := range CheckMeal(m) {
		v.wrong("meal-"+field, "canteen.place.wrong."+field)
	}
	if slices.Contains(m.Ways, v1alpha1.WayDelivery) && len(spec.DeliveryEstates) == 0 {
		v.wrong("meal-ways", "canteen.place.wrong.nowhere")
	}
}

func (v *placeView) wrong(field, id string) {
	if v.Mistakes[field] == "" {
		v.Mistakes[field] = v.T(id, "Name", maxPlaceTitle, "Portions", maxMaxPortions, "Days", maxCutOffDays, "Text", maxPlaceText, "Dates", maxClosedDates)
	}
}

// placeFields are the fields of the forms in order.
var placeFields = []string{
	"", "displayName", "name", "description", "maxPortions", "deliveryEstates", "closedDates", "meal-displayName", "meal-name", "meal-from", "meal-to",
	"meal-cutOff", "meal-cutOffDaysBefore", "meal-days", "meal-ways",
}

// mistakes are what the form says is wrong, in the order of its fields.
func (v placeView) mistakes() []web.FieldError { return inOrder(v.Mistakes, placeFields...) }
