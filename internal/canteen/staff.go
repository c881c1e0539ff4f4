package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// The staff's pages. Everything beneath staffPath is for people who are charged
// with a duty.

// Paths of the staff's pages.
const (
	staffPath           = homePath + "staff/"
	staffMealsPath      = staffPath + "meals/"
	staffOrdersPath     = staffPath + "orders/"
	staffOrderPath      = staffPath + "order"
	staffDishesPath     = staffPath + "dishes/"
	staffPhotosPath     = staffPath + "photos"
	staffMenusPath      = staffPath + "menus"
	staffSubsidiesPath  = staffPath + "subsidies"
	staffCategoriesPath = staffPath + "categories/"
	// photosPath is where everybody sees the photos.
	photosPath = homePath + "photos/"
)

// staffRoute is a page of the staff, or what one of its forms does, and whose
// duty it is.
type staffRoute struct {
	duties  []identity.Duty
	pattern string
	handle  http.HandlerFunc
}

// inCanteen are all who work with the canteen's pages.
var inCanteen = []identity.Duty{identity.Kitchen, identity.FrontDesk, identity.Manager}

// sittingPattern is a sitting in the pattern of a route.
const sittingPattern = "{canteen}/{date}/{meal}"

// staffRoutes are all routes of the staff's pages.
func (s *service) staffRoutes() []staffRoute {
	return append(s.safetyRoutes(), []staffRoute{
		{inCanteen, "GET " + staffPath + "{$}", s.glancePage},
		{counter, "GET " + staffMealsPath + sittingPattern, s.mealPage},
		{counter, "GET " + staffMealsPath + sittingPattern + "/print", s.printPage},
		{counter, "GET " + staffOrdersPath + "{id}", s.staffOrderPage},
		{counter, "POST " + staffOrdersPath + "{id}/serve", s.tick("served", s.serve)},
		{counter, "POST " + staffOrdersPath + "{id}/unserve", s.tick("unserved", s.store.Unserve)},
		{counter, "POST " + staffOrdersPath + "{id}/pay", s.tick("paid", s.pay)},
		{counter, "GET " + staffOrdersPath + "{id}/cancel", s.staffCancelPage},
		{counter, "POST " + staffOrdersPath + "{id}/cancel", s.tick("cancelled", s.cancel)},
		{counter, "GET " + staffOrderPath, s.counterPage},
		{counter, "POST " + staffOrderPath, s.orderAtCounter},
		{counter, "GET " + staffStandingPath, s.staffStandingPage},
		{counter, "POST " + staffStandingPath, s.standingAtCounter},
		{counter, "GET " + staffStandingPath + "/{id}/change", s.staffChangeStandingPage},
		{counter, "POST " + staffStandingPath + "/{id}/change", s.staffChangeStanding},
		{counter, "POST " + staffStandingPath + "/{id}/skip", s.staffStanding("standingSkipped", s.staffSkip)},
		{counter, "POST " + staffStandingPath + "/{id}/end", s.staffStanding("standingEnded", s.staffEnd)},
		{kitchen, "GET " + staffMenusPath, s.weekMenusPage},
		{kitchen, "POST " + staffMenusPath + "/{canteen}/copy-week", s.copyWeekFromPage},
		{kitchen, "GET " + staffMenusPath + "/" + sittingPattern, s.planPage},
		{kitchen, "POST " + staffMenusPath + "/" + sittingPattern, s.savePlan},
		{kitchen, "GET " + staffDishesPath + "{$}", s.dishesPage},
		{kitchen, "GET " + staffDishesPath + "new", s.newDishPage},
		{kitchen, "POST " + staffDishesPath + "new", s.makeDish},
		{kitchen, "GET " + staffDishesPath + "{dish}", s.dishPage},
		{kitchen, "POST " + staffDishesPath + "{dish}", s.changeDishFromPage},
		{kitchen, "POST " + staffDishesPath + "{dish}/retire", s.retireDishFromPage},
		{kitchen, "POST " + staffDishesPath + "{dish}/restore", s.restoreDishFromPage},
		{kitchen, "POST " + staffDishesPath + "{dish}/remove-photo", s.removePhotoFromPage},
		{kitchen, "POST " + staffPhotosPath, s.photoFromPage},
		{cooksAndManagers, "GET " + staffFeedbackPath, s.feedbackPage},
		{cooksAndManagers, "GET " + staffFeedbackMonthPath, s.feedbackMonthsPage},
		{managers, "GET " + staffFeedbackOrderPath + "{id}", s.feedbackOrderPage},
		{cooksAndManagers, "GET " + staffSuggestionsPath + "{$}", s.staffSuggestionsPage},
		{cooksAndManagers, "GET " + staffSuggestionsPath + "{id}", s.answerPage},
		{cooksAndManagers, "POST " + staffSuggestionsPath + "{id}", s.answerFromPage},
		{managers, "GET " + staffSuggestionsPath + "{id}/author", s.authorPage},
		{managers, "GET " + staffCanteensPath + "{$}", s.staffCanteensPage},
		{managers, "GET " + staffCanteensPath + "new", s.newCanteenPage},
		{managers, "POST " + staffCanteensPath + "new", s.makeCanteen},
		{managers, "GET " + staffCanteensPath + "{canteen}", s.canteenPage},
		{managers, "POST " + staffCanteensPath + "{canteen}", s.changeCanteenFromPage},
		{managers, "POST " + staffCanteensPath + "{canteen}/retire", s.retireCanteenFromPage(true)},
		{managers, "POST " + staffCanteensPath + "{canteen}/restore", s.retireCanteenFromPage(false)},
		{managers, "GET " + staffCanteensPath + "{canteen}/meals/new", s.newMealPage},
		{managers, "POST " + staffCanteensPath + "{canteen}/meals/new", s.saveMeal},
		{managers, "GET " + staffCanteensPath + "{canteen}/meals/{meal}", s.mealFormPage},
		{managers, "POST " + staffCanteensPath + "{canteen}/meals/{meal}", s.saveMeal},
		{managers, "POST " + staffCanteensPath + "{canteen}/meals/{meal}/remove", s.removeMeal},
		{managers, "GET " + staffSubsidiesPath, s.subsidiesPage},
		{managers, "GET " + staffSubsidiesPath + ".csv", s.subsidiesFile},
		{managers, "GET " + staffCategoriesPath + "{category}", s.categoryPage},
		{managers, "POST " + staffCategoriesPath + "{category}/add", s.memberAdded},
		{managers, "POST " + staffCategoriesPath + "{category}/remove", s.memberRemoved},
	}...)
}

// mountStaff mounts the staff's pages, and the photos, which everybody may see.
func (s *service) mountStaff(rt *host.Runtime) {
	for _, route := range s.staffRoutes() {
		rt.Mux.Handle(route.pattern, rt.Identity.RequireOneOf(route.duties, s.pages.Error, route.handle))
	}
	rt.Upload(staffPhotosPath, maxPhotoBytes+formOverhead)
	rt.Mux.HandleFunc("GET "+photosPath+"{id}", s.photoFile(s.store.Photo))
	rt.Mux.HandleFunc("GET "+photosPath+"{id}/small", s.photoFile(s.store.SmallPhoto))
	rt.Upload(batchPhotosPath, maxPhotoBytes+formOverhead)
}

// formOverhead is what a form has around a file, at most.
const formOverhead = 64 << 10

// desk is what every page of the staff knows.
type desk struct {
	web.View
	// Page is the path of the page's tab.
	Page string
	Me   identity.Person
	// Done is what was just done, Problem what was not done, and why; empty if
	// nothing was.
	Done, Problem string
	Now           time.Time
}

// What the staff's pages say was just done, by the name in the address.
var deskDone = map[string]string{
	"served": "canteen.staff.done.served", "unserved": "canteen.staff.done.unserved", "paid": "canteen.staff.done.paid",
	"cancelled": "canteen.staff.done.cancelled", "ordered": "canteen.staff.done.ordered",
	"dish": "canteen.staff.done.dish", "retired": "canteen.staff.done.retired", "restored": "canteen.staff.done.restored",
	"plan": "canteen.staff.done.plan", "planPublished": "canteen.staff.done.planPublished", "copied": "canteen.staff.done.copied",
	"memberAdded": "canteen.staff.done.memberAdded", "memberRemoved": "canteen.staff.done.memberRemoved",
	"standing": "canteen.standing.done.made", "standingSkipped": "canteen.standing.done.skipped", "standingEnded": "canteen.standing.done.ended",
	"standingChanged": "canteen.standing.done.changed",
	"supplierNew":     "canteen.safety.done.supplierNew", "supplierChanged": "canteen.safety.done.supplierChanged",
	"supplierRetired": "canteen.safety.done.supplierRetired", "supplierBack": "canteen.safety.done.supplierBack",
	"batchNew": "canteen.safety.done.batchNew", "batchChanged": "canteen.safety.done.batchChanged", "batchUsedUp": "canteen.safety.done.batchUsedUp",
	"batchDiscarded": "canteen.safety.done.batchDiscarded", "batchOpen": "canteen.safety.done.batchOpen",
	"uses": "canteen.safety.done.uses", "samples": "canteen.safety.done.samples", "sampleGone": "canteen.safety.done.sampleGone", "checks": "canteen.safety.done.checks",
	"photo": "canteen.staff.done.photo", "photoRemoved": "canteen.staff.done.photoRemoved",
	"place": "canteen.place.done.saved", "placeRetired": "canteen.place.done.retired", "placeRestored": "canteen.place.done.restored",
	"answered": "canteen.suggestion.done.answered",
}

// desk prepares a page that belongs to the tab with a path.
func (s *service) desk(r *http.Request, page string) desk {
	d := desk{View: s.pages.View(r), Page: page, Now: s.clock.Now()}
	if id := deskDone[r.URL.Query().Get("done")]; id != "" {
		count, _ := strconv.Atoi(r.URL.Query().Get("count")) // most are about no number
		d.Done = d.T(id, "Count", count)
	}
	d.Me, _ = identity.FromContext(r.Context())
	return d
}

func (d desk) has(duties []identity.Duty) bool { return slices.ContainsFunc(duties, d.Me.Has) }

// Kitchen says that the reader cooks, Counter that they take orders for others.
func (d desk) Kitchen() bool { return d.has(kitchen) }

// Counter says that the reader takes orders for others.
func (d desk) Counter() bool { return d.has(counter) }

// tabs lead to the staff's pages that the reader may use.
func (d desk) tabs() []web.Tab {
	var tabs []web.Tab
	for _, tab := range []struct {
		duties      []identity.Duty
		label, href string
	}{
		{inCanteen, d.T("canteen.staff.tab.glance"), staffPath},
		{counter, d.T("canteen.staff.tab.order"), staffOrderPath},
		{counter, d.T("canteen.standing.title"), staffStandingPath},
		{kitchen, d.T("canteen.staff.tab.menus"), staffMenusPath},
		{kitchen, d.T("canteen.staff.tab.dishes"), staffDishesPath},
		{cooksAndManagers, d.T("canteen.feedback.tab"), staffFeedbackPath},
		{cooksAndManagers, d.T("canteen.safety.title"), safetyPath},
		{cooksAndManagers, d.T("canteen.suggestion.tab"), staffSuggestionsPath},
		{managers, d.T("canteen.staff.tab.subsidies"), staffSubsidiesPath},
		{managers, d.T("canteen.place.title"), staffCanteensPath},
	} {
		if d.has(tab.duties) {
			tabs = append(tabs, web.Tab{Label: tab.label, Href: tab.href, Current: tab.href == d.Page})
		}
	}
	return tabs
}

// seenVersion is the version that a form was made of; what is none was changed
// meanwhile.
func seenVersion(form url.Values) int {
	version, err := strconv.Atoi(form.Get("version"))
	if err != nil {
		return -1
	}
	return version
}

// withDone is an address that says what was just done.
func withDone(path, done string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + url.Values{"done": {done}}.Encode()
}

// mealURL is the staff's page of a sitting.
func mealURL(s Sitting) string { return staffMealsPath + s.path() }

func staffOrderURL(id uuid.UUID) string { return staffOrdersPath + id.String() }

// path is a sitting in an address.
func (s Sitting) path() string {
	return url.PathEscape(s.Canteen) + "/" + s.Day.String() + "/" + url.PathEscape(s.Meal)
}

// sittingOfPath is the sitting that an address names, with its canteen and
// meal. A meal that its canteen has no more is found as long as it has a menu.
func (s *service) sittingOfPath(r *http.Request) (Served, error) {
	day, err := parseDay("date", r.PathValue("date"))
	if err != nil {
		return Served{}, ErrNotFound
	}
	return s.servedAt(r, Sitting{Canteen: r.PathValue("canteen"), Day: day, Meal: r.PathValue("meal")})
}

func (s *service) servedAt(r *http.Request, sitting Sitting) (Served, error) {
	c, err := s.store.Canteen(r.Context(), sitting.Canteen)
	if err != nil {
		return Served{}, err
	}
	m, err := s.store.Menu(r.Context(), sitting)
	if err != nil {
		return Served{}, err
	}
	meal, ok := c.Meal(sitting.Meal)
	if !ok && m.Version == 0 {
		return Served{}, ErrNotFound
	}
	if !ok {
		meal = v1alpha1.Meal{Name: sitting.Meal, DisplayName: sitting.Meal}
	}
	return Served{c, meal, m, TimesOf(meal, sitting.Day, s.location())}, nil
}

// glanceView is what is cooked today and tomorrow.
type glanceView struct {
	desk
	// Reminders are what is due for food safety.
	Reminders []reminder
	Days      []glanceDay
}

// glanceDay is a day of all canteens.
type glanceDay struct {
	Day   civil.Date
	Meals []glanceMeal
}

// glanceMeal is a meal of a day, and how far it has come.
type glanceMeal struct {
	Served
	Progress
	// Portions are those that were ordered, Stock those that there are.
	Portions, Stock int
}

func (s *service) glancePage(w http.ResponseWriter, r *http.Request) {
	v := glanceView{desk: s.desk(r, staffPath)}
	ctx, today := r.Context(), s.today()
	canteens, err := s.store.Canteens(ctx)
	var menus []Menu
	if err == nil {
		menus, err = s.store.Menus(ctx, "", today, today.AddDays(1), true)
	}
	var progress map[Sitting]Progress
	if err == nil {
		progress, err = s.store.Progress(ctx, today, today.AddDays(1))
	}
	if err == nil {
		v.Reminders, err = s.reminded(ctx, v.desk)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, day := range []civil.Date{today, today.AddDays(1)} {
		v.Days = append(v.Days, glanceDay{day, s.mealsOf(canteens, menus, progress, day)})
	}
	s.pages.Render(w, r, http.StatusOK, glancePage(v))
}

// mealsOf are the meals of a day: those that are served as the week has it, and
// those that were planned beside that.
func (s *service) mealsOf(canteens []Canteen, menus []Menu, progress map[Sitting]Progress, day civil.Date) (meals []glanceMeal) {
	for _, c := range canteens {
		for _, meal := range c.Meals {
			sitting := Sitting{c.Name, day, meal.Name}
			m := Menu{Sitting: sitting}
			if i := slices.IndexFunc(menus, func(m Menu) bool { return m.Sitting == sitting }); i >= 0 {
				m = menus[i]
			}
			if !c.Serves(meal, day) && m.Version == 0 {
				continue
			}
			g := glanceMeal{Served: Served{c, meal, m, TimesOf(meal, day, s.location())}, Progress: progress[sitting]}
			for _, item := range m.Items {
				g.Portions += item.Taken
				g.Stock += item.Stock
			}
			meals = append(meals, g)
		}
	}
	return meals
}

// menuState says whether a menu is planned and published.
func menuState(v web.View, m Menu) (web.Tone, string) {
	switch {
	case m.Version == 0:
		return web.Warning, v.T("canteen.staff.unplanned")
	case m.PublishedAt.IsZero():
		return web.Info, v.T("canteen.staff.draft")
	}
	return web.Success, v.T("canteen.staff.published")
}

// staffForm reads a form of the staff's pages; what cannot be read is answered.
func (s *service) staffForm(w http.ResponseWriter, r *http.Request) bool {
	if _, err := readForm(w, r); err != nil {
		s.fail(w, r, err)
		return false
	}
	return true
}

// notDone says in the reader's words why something was not done; false if err
// is nothing that people can do something about.
func notDone(v web.View, err error, m Menu) (string, bool) {
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		return "", false
	}
	item, _ := m.Item(idOf(refusal.Dish))
	switch refusal.Rule {
	case RuleCutOff:
		return v.T("canteen.staff.over"), true
	case RuleNoDelivery:
		return v.T("canteen.staff.noDelivery"), true
	}
	return refusalText(v, refusal, dishName(v, item.Dish)), true
}
