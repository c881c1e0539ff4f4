package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// The pages of food safety: what is to be done today, suppliers and batches.

// Paths of the pages of food safety.
const (
	safetyPath      = staffPath + "safety/"
	suppliersPath   = safetyPath + "suppliers/"
	batchesPath     = safetyPath + "batches/"
	batchPhotosPath = safetyPath + "photos"
	safetyMealsPath = safetyPath + "meals/"
	samplesPath     = safetyPath + "samples"
	safetyCheckPath = safetyPath + "checks/"
	tracePath       = safetyPath + "trace"
)

// safetyRoutes are the pages of food safety and what their forms do.
func (s *service) safetyRoutes() []staffRoute {
	return []staffRoute{
		{cooksAndManagers, "GET " + safetyPath + "{$}", s.safetyPage},
		{cooksAndManagers, "GET " + suppliersPath + "{$}", s.suppliersPage},
		{cooksAndManagers, "GET " + suppliersPath + "new", s.newSupplierPage},
		{cooksAndManagers, "POST " + suppliersPath + "new", s.makeSupplier},
		{cooksAndManagers, "GET " + suppliersPath + "{supplier}", s.supplierPage},
		{cooksAndManagers, "POST " + suppliersPath + "{supplier}", s.changeSupplier},
		{cooksAndManagers, "POST " + suppliersPath + "{supplier}/retire", s.retireSupplier(true)},
		{cooksAndManagers, "POST " + suppliersPath + "{supplier}/restore", s.retireSupplier(false)},
		{cooksAndManagers, "GET " + batchesPath + "{$}", s.batchesPage},
		{cooksAndManagers, "GET " + batchesPath + "new", s.newBatchPage},
		{cooksAndManagers, "POST " + batchesPath + "new", s.makeBatch},
		{cooksAndManagers, "GET " + batchesPath + "{batch}", s.batchPage},
		{cooksAndManagers, "POST " + batchesPath + "{batch}", s.changeBatch},
		{cooksAndManagers, "POST " + batchesPath + "{batch}/used-up", s.endBatch(BatchUsedUp)},
		{cooksAndManagers, "POST " + batchesPath + "{batch}/discard", s.endBatch(BatchDiscarded)},
		{cooksAndManagers, "POST " + batchesPath + "{batch}/reopen", s.endBatch(BatchOpen)},
		{cooksAndManagers, "GET " + batchPhotosPath + "/{batch}", s.batchPhotoFile},
		{cooksAndManagers, "POST " + batchPhotosPath, s.batchPhotoFromPage},
		{cooksAndManagers, "GET " + safetyMealsPath + sittingPattern, s.safetyMealPage},
		{cooksAndManagers, "POST " + safetyMealsPath + sittingPattern + "/uses", s.saveUses},
		{cooksAndManagers, "POST " + safetyMealsPath + sittingPattern + "/samples", s.saveSamples},
		{cooksAndManagers, "GET " + samplesPath, s.samplesPage},
		{cooksAndManagers, "POST " + samplesPath + "/{sample}/discard", s.discardSample},
		{cooksAndManagers, "GET " + safetyCheckPath + "{canteen}", s.checksMonthPage},
		{cooksAndManagers, "GET " + safetyCheckPath + "{canteen}/{date}", s.checksPage},
		{cooksAndManagers, "POST " + safetyCheckPath + "{canteen}/{date}", s.saveChecks},
		{cooksAndManagers, "GET " + tracePath, s.tracePage},
		{managers, "GET " + tracePath + ".csv", s.traceFile},
	}
}

// Safety says that the reader writes and reads the records of food safety.
func (d desk) Safety() bool { return d.has(cooksAndManagers) }

func supplierURL(id uuid.UUID) string { return suppliersPath + id.String() }

func batchURL(id uuid.UUID) string { return batchesPath + id.String() }

func safetyMealURL(s Sitting) string { return safetyMealsPath + s.path() }

func checksURL(canteen string, day civil.Date) string {
	return safetyCheckPath + url.PathEscape(canteen) + "/" + day.String()
}

// staffNames are the names of staff, by ID; who is not known any more has none.
type staffNames map[string]string

// staffNames asks who people are that records name by ID.
func (s *service) staffNames(ctx context.Context, v web.View, ids ...string) (staffNames, error) {
	names := staffNames{}
	for _, id := range ids {
		if _, known := names[id]; known || id == "" {
			continue
		}
		p, err := s.people.Person(ctx, id)
		if err != nil && !errors.Is(err, identity.ErrNobody) {
			return nil, err
		}
		names[id] = v.Name(p.Name, p.LatinName)
	}
	return names, nil
}

// of is the name of somebody; words if they are not known any more.
func (n staffNames) of(v web.View, id string) string {
	if n[id] == "" {
		return v.T("canteen.safety.gone")
	}
	return n[id]
}

// safetyRefused says in the reader's words why something was not kept.
func safetyRefused(v web.View, r *Refusal, what string) string {
	switch r.Rule {
	case RuleBatchExpired, RuleBatchEnded, RuleBatchLater, RuleBatchUnknown, RuleUsesClosed, RuleSampleTime, RuleSampleTaken, RuleCheckDay, RuleCheckPoint, RuleSupplier:
		return v.T("canteen.safety.refused."+string(r.Rule), "What", what, "Days", usesOpen)
	case RuleSampleSmall, RuleSampleLarge:
		return v.T("canteen.safety.refused."+string(r.Rule), "Grams", r.Limit)
	case RuleSamplePlace, RuleReason:
		return v.T("canteen.safety.refused."+string(r.Rule), "Limit", r.Limit)
	case RuleCheckRemark:
		return v.T("canteen.safety.refused.check-remark", "Limit", maxSafetyNote)
	case RuleSampleEarly:
		return v.T("canteen.safety.refused.sample-too-early", "Time", whenText(v, time.Unix(r.Limit, 0)))
	}
	return refusalText(v, r, what)
}

// freshness says how a batch stands on a day.
func freshness(v web.View, b Batch, day civil.Date) (web.Tone, string) {
	until := ""
	if (b.ExpiresOn != civil.Date{}) {
		until = v.Date(noon(v, b.ExpiresOn))
	}
	switch {
	case b.End != BatchOpen:
		return web.Info, v.T("canteen.safety.end." + string(b.End))
	case until == "":
		return web.Info, v.T("canteen.safety.noExpiry")
	case b.Freshness(day) == Expired:
		return web.Warning, v.T("canteen.safety.expired", "Day", until)
	case b.ExpiresOn == day:
		return web.Warning, v.T("canteen.safety.lastDay")
	case b.Freshness(day) == NearExpiry:
		return web.Warning, v.T("canteen.safety.near", "Day", until, "Count", b.ExpiresOn.DaysSince(day))
	}
	return web.Success, v.T("canteen.safety.until", "Day", until)
}

// reminder is something that is to be done, and where.
type reminder struct{ Text, Href string }

// reminders are what is due, in the reader's words: what endangers people first.
func reminders(v web.View, today civil.Date, due SafetyDue, dishes map[uuid.UUID]Dish) (list []reminder) {
	for _, b := range due.Expired {
		list = append(list, reminder{v.T("canteen.safety.due.expired", "What", b.Ingredient, "Day", v.Date(noon(v, b.ExpiresOn))), batchURL(b.ID)})
	}
	for _, sitting := range sittingsOf(due.Unsampled) {
		var names []string
		for _, c := range due.Unsampled {
			if c.Sitting == sitting {
				names = append(names, dishName(v, dishes[c.Dish]))
			}
		}
		list = append(list, reminder{v.T("canteen.safety.due.unsampled", "Dishes", joined(v, names)), safetyMealURL(sitting) + "#samples"})
	}
	for _, c := range due.Unchecked {
		list = append(list, reminder{v.T("canteen.safety.due.unchecked", "Canteen", c.DisplayName), checksURL(c.Name, today)})
	}
	for _, b := range due.Near {
		_, text := freshness(v, b, today)
		list = append(list, reminder{v.T("canteen.safety.due.near", "What", b.Ingredient, "When", text), batchURL(b.ID)})
	}
	if n := len(due.Discardable); n > 0 {
		list = append(list, reminder{v.T("canteen.safety.due.discardable", "Count", n), samplesPath + "#kept"})
	}
	return list
}

// sittingsOf are the sittings of dishes, each once.
func sittingsOf(cooked []Cooked) (sittings []Sitting) {
	for _, c := range cooked {
		if !slices.Contains(sittings, c.Sitting) {
			sittings = append(sittings, c.Sitting)
		}
	}
	return sittings
}

// safetyView is what is to be done for food safety on a day.
type safetyView struct {
	desk
	Reminders []reminder
	Day       civil.Date
	Today     civil.Date
	Meals     []safetyMeal
	Canteens  []canteenChecks
}

// safetyMeal is a meal of the day, and what was written about it.
type safetyMeal struct {
	Served
	// Dishes is how many the menu has, Traced of how many it is written what
	// went in, Sampled of how many there is a sample.
	Dishes, Traced, Sampled int
}

// canteenChecks is how many points of a canteen's daily check were looked at,
// and how many were not in order.
type canteenChecks struct {
	Canteen
	Done, NotOK int
}

// reminded are what is due, for those who can do something about it.
func (s *service) reminded(ctx context.Context, d desk) ([]reminder, error) {
	if !d.Safety() {
		return nil, nil
	}
	due, err := s.store.SafetyDue(ctx, d.Now, s.location())
	if err != nil || !due.Any() {
		return nil, err
	}
	ids := map[uuid.UUID]bool{}
	for _, c := range due.Unsampled {
		ids[c.Dish] = true
	}
	dishes, err := dishesIn(ctx, s.store.db.Reader(), ids)
	return reminders(d.View, s.today(), due, dishes), err
}

func (s *service) safetyPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.safetyView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, safetyPage(v))
}

func (s *service) safetyView(r *http.Request) (v safetyView, err error) {
	ctx := r.Context()
	v.desk, v.Today = s.desk(r, safetyPath), s.today()
	if v.Day, err = s.pageDay(r); err != nil {
		return v, err
	}
	if v.Reminders, err = s.reminded(ctx, v.desk); err != nil {
		return v, err
	}
	canteens, err := s.store.Canteens(ctx)
	if err != nil {
		return v, err
	}
	menus, err := s.store.Menus(ctx, "", v.Day, v.Day, false)
	if err != nil {
		return v, err
	}
	samples, err := s.store.Samples(ctx, "", v.Day, v.Day)
	if err != nil {
		return v, err
	}
	for _, g := range s.mealsOf(canteens, menus, nil, v.Day) {
		if g.Menu.Version == 0 {
			continue
		}
		uses, err := s.store.UsesOf(ctx, g.Menu.Sitting)
		if err != nil {
			return v, err
		}
		m := safetyMeal{Served: g.Served, Dishes: len(g.Menu.Items), Traced: len(cookedOf(uses))}
		for _, sample := range samples {
			if sample.Sitting == g.Menu.Sitting {
				m.Sampled++
			}
		}
		v.Meals = append(v.Meals, m)
	}
	for _, c := range canteens {
		found, err := s.store.Checks(ctx, c.Name, v.Day, v.Day)
		if err != nil {
			return v, err
		}
		of := canteenChecks{Canteen: c, Done: len(found[v.Day])}
		for _, f := range found[v.Day] {
			if f.State == CheckNotOK {
				of.NotOK++
			}
		}
		v.Canteens = append(v.Canteens, of)
	}
	return v, nil
}

func safetyURL(day civil.Date) string { return safetyPath + "?date=" + day.String() }

// suppliersView is the list of suppliers.
type suppliersView struct {
	desk
	Suppliers, Retired []Supplier
}

func (s *service) suppliersPage(w http.ResponseWriter, r *http.Request) {
	v := suppliersView{desk: s.desk(r, safetyPath)}
	all, err := s.store.Suppliers(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, p := range all {
		if p.Retired {
			v.Retired = append(v.Retired, p)
		} else {
			v.Suppliers = append(v.Suppliers, p)
		}
	}
	s.pages.Render(w, r, http.StatusOK, suppliersPage(v))
}

// supplierView is the form of a supplier; its version is 0 for a new one.
type supplierView struct {
	desk
	Supplier Supplier
	// Typed is what the form has.
	Typed    Supplier
	Batches  []Batch
	Mistakes map[string]string
	Stale    bool
}

// batchesShown is how many batches a page lists at most.
const batchesShown = 100

func (s *service) supplierView(r *http.Request) (v supplierView, err error) {
	v.desk, v.Mistakes = s.desk(r, safetyPath), map[string]string{}
	if r.PathValue("supplier") == "" {
		return v, nil
	}
	if v.Supplier, err = s.store.Supplier(r.Context(), idOf(r.PathValue("supplier"))); err != nil {
		return v, err
	}
	v.Typed = v.Supplier
	v.Batches, err = s.store.Batches(r.Context(), BatchQuery{Supplier: v.Supplier.ID, Limit: batchesShown})
	return v, err
}

func (s *service) newSupplierPage(w http.ResponseWriter, r *http.Request) { s.supplierPage(w, r) }

func (s *service) supplierPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.supplierView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, supplierPage(v))
}

func (s *service) makeSupplier(w http.ResponseWriter, r *http.Request) { s.changeSupplier(w, r) }

func (s *service) changeSupplier(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.supplierView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	form := r.PostForm
	v.Typed = Supplier{
		ID: v.Supplier.ID, Name: oneLine(form.Get("name")), Contact: oneLine(form.Get("contact")), Phone: typed(form, "phone"),
		Licence: typed(form, "licence"), Version: seenVersion(form),
	}
	done := "supplierChanged"
	if v.Supplier.Version == 0 {
		v.Typed.Version, done = 0, "supplierNew"
		if v.Typed.ID, err = newID(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	for _, m := range CheckSupplier(v.Typed) {
		v.Mistakes[m.Field] = v.T("canteen.safety.wrong.supplier." + m.Field)
	}
	status := http.StatusUnprocessableEntity
	if len(v.Mistakes) == 0 {
		p, err := s.store.PutSupplier(r.Context(), s.by(r.Context()), v.Typed)
		switch {
		case errors.Is(err, ErrStale):
			status, v.Typed.Version, v.Mistakes[""] = http.StatusConflict, v.Supplier.Version, v.T("canteen.safety.stale")
		case err != nil:
			s.fail(w, r, err)
			return
		default:
			http.Redirect(w, r, withDone(supplierURL(p.ID), done), http.StatusSeeOther)
			return
		}
	}
	s.pages.Render(w, r, status, supplierPage(v))
}

// oneLine is what was typed, on one line, with the signs as they were written.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (s *service) retireSupplier(retired bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := idOf(r.PathValue("supplier"))
		if err := s.store.RetireSupplier(r.Context(), s.by(r.Context()), id, retired); err != nil {
			s.fail(w, r, err)
			return
		}
		done := map[bool]string{true: "supplierRetired", false: "supplierBack"}[retired]
		http.Redirect(w, r, withDone(supplierURL(id), done), http.StatusSeeOther)
	}
}
