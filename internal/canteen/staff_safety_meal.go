package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// safetyMealView is the page of a meal on which it is written what went into its
// dishes, and what was kept of them.
type safetyMealView struct {
	desk
	Served
	Today civil.Date
	// Dishes are those of the menu, and those that were on it when it was written
	// what went in.
	Dishes  []mealDish
	Batches []batchLine
	Names   staffNames
	// CanUse says that what went in can be written today, CanSample that samples
	// can be taken.
	CanUse, CanSample bool
	// Place and Time are where and when samples are taken, as the form has them.
	Place, Time string
	Mistakes    map[string]string
}

// mealDish is a dish of the meal.
type mealDish struct {
	Dish Dish
	// Chosen are the IDs of the batches that are ticked, Written says that they
	// were kept, and Suggested that they are those of the last time.
	Chosen             []string
	Written, Suggested bool
	// Sample is what was kept of it; its ID is uuid.Nil if nothing was. Grams is
	// what the form has.
	Sample  Sample
	Grams   string
	Correct bool
}

func usesField(dish uuid.UUID) string { return "uses-" + dish.String() }

func gramsField(dish uuid.UUID) string { return "grams-" + dish.String() }

func (s *service) safetyMealView(r *http.Request) (v safetyMealView, err error) {
	ctx := r.Context()
	v.desk, v.Today, v.Mistakes = s.desk(r, safetyPath), s.today(), map[string]string{}
	if v.Served, err = s.sittingOfPath(r); err != nil {
		return v, err
	}
	sitting := v.Menu.Sitting
	v.CanUse = checkUsesDay(sitting.Day, v.Today) == nil
	v.CanSample = sitting.Day == v.Today && !v.Menu.PublishedAt.IsZero()
	uses, err := s.store.UsesOf(ctx, sitting)
	if err != nil {
		return v, err
	}
	samples, err := s.store.Samples(ctx, sitting.Canteen, sitting.Day, sitting.Day)
	if err != nil {
		return v, err
	}
	if err := s.mealDishes(r, &v, uses, samples); err != nil {
		return v, err
	}
	v.Time = v.View.Time(v.Now)
	kept, err := s.store.KeptSamples(ctx)
	if err != nil {
		return v, err
	}
	for _, sample := range kept { // where the last one is
		if sample.Canteen == sitting.Canteen {
			v.Place = sample.Place
		}
	}
	var takers []string
	for _, d := range v.Dishes {
		takers = append(takers, d.Sample.TakenBy, d.Sample.DiscardedBy)
	}
	v.Names, err = s.staffNames(ctx, v.View, takers...)
	return v, err
}

// mealDishes reads the dishes of the page, what was written about each, and the
// batches that it can be cooked of.
func (s *service) mealDishes(r *http.Request, v *safetyMealView, uses []Use, samples []Sample) error {
	ctx, sitting, correct := r.Context(), v.Menu.Sitting, idOf(r.URL.Query().Get("correct"))
	ids := map[uuid.UUID]bool{}
	var order []uuid.UUID
	for _, item := range v.Menu.Items {
		order, ids[item.Dish.ID] = append(order, item.Dish.ID), true
	}
	for _, u := range uses {
		if !ids[u.Dish] {
			order, ids[u.Dish] = append(order, u.Dish), true
		}
	}
	dishes, err := dishesIn(ctx, s.store.db.Reader(), ids)
	if err != nil {
		return err
	}
	last, err := s.store.LastUses(ctx, sitting, order)
	if err != nil {
		return err
	}
	offered, err := s.offered(r, v, uses)
	if err != nil {
		return err
	}
	for _, id := range order {
		d := mealDish{Dish: dishes[id]}
		for _, u := range uses {
			if u.Dish == id {
				d.Chosen, d.Written = append(d.Chosen, u.Batch.String()), true
			}
		}
		for _, b := range last[id] {
			if !d.Written && slices.ContainsFunc(offered, func(o Batch) bool { return o.ID == b && o.End == BatchOpen }) {
				d.Chosen = append(d.Chosen, b.String())
			}
		}
		d.Suggested = !d.Written && len(d.Chosen) > 0
		for _, sample := range samples {
			if sample.Sitting == sitting && sample.Dish == id {
				d.Sample, d.Correct = sample, id == correct && v.CanSample
			}
		}
		if d.Correct {
			d.Grams = strconv.Itoa(d.Sample.Grams)
		}
		v.Dishes = append(v.Dishes, d)
	}
	return nil
}

// offered are the batches that dishes of the meal's day can be cooked of, and
// those that were written already.
func (s *service) offered(r *http.Request, v *safetyMealView, uses []Use) ([]Batch, error) {
	open, err := s.store.Batches(r.Context(), BatchQuery{Open: true})
	if err != nil {
		return nil, err
	}
	var ended []uuid.UUID
	for _, u := range uses {
		if !slices.ContainsFunc(open, func(b Batch) bool { return b.ID == u.Batch }) && !slices.Contains(ended, u.Batch) {
			ended = append(ended, u.Batch)
		}
	}
	if len(ended) > 0 {
		more, err := s.store.Batches(r.Context(), BatchQuery{IDs: ended})
		if err != nil {
			return nil, err
		}
		open = append(open, more...)
	}
	open = slices.DeleteFunc(open, func(b Batch) bool {
		written := slices.ContainsFunc(uses, func(u Use) bool { return u.Batch == b.ID })
		return !written && usable(b, v.Menu.Day, "", s.location()) != nil
	})
	suppliers, err := s.store.Suppliers(r.Context())
	v.Batches = withSuppliers(open, suppliers)
	return open, err
}

func (s *service) safetyMealPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.safetyMealView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, safetyMealPage(v))
}

// saveUses keeps what went into the dishes of the meal.
func (s *service) saveUses(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.safetyMealView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var uses []DishBatches
	for i, d := range v.Dishes {
		chosen := r.PostForm[usesField(d.Dish.ID)]
		v.Dishes[i].Chosen, v.Dishes[i].Suggested = chosen, false
		if len(chosen) == 0 {
			continue
		}
		of := DishBatches{Dish: d.Dish.ID}
		for _, id := range chosen {
			of.Batches = append(of.Batches, idOf(id))
		}
		uses = append(uses, of)
	}
	err = s.store.PutUses(r.Context(), s.by(r.Context()), v.Menu.Sitting, uses, s.location())
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		field := ""
		if refusal.Dish != "" {
			field = usesField(idOf(refusal.Dish))
		}
		v.Mistakes[field] = safetyRefused(v.View, refusal, v.dishName(refusal.Dish))
		s.pages.Render(w, r, http.StatusUnprocessableEntity, safetyMealPage(v))
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(safetyMealURL(v.Menu.Sitting), "uses"), http.StatusSeeOther)
}

func (v safetyMealView) dishName(id string) string {
	for _, d := range v.Dishes {
		if d.Dish.ID == idOf(id) {
			return dishName(v.View, d.Dish)
		}
	}
	return ""
}

// saveSamples keeps the samples of which the form says how much they are.
func (s *service) saveSamples(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.safetyMealView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	samples := v.readSamples(r.PostForm, s.location())
	if len(samples) == 0 && len(v.Mistakes) == 0 {
		v.Mistakes["place"] = v.T("canteen.safety.wrong.noGrams")
	}
	if len(v.Mistakes) == 0 {
		_, err = s.store.TakeSamples(r.Context(), s.by(r.Context()), samples, s.location())
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case refused:
			v.Mistakes[sampleField(refusal)] = safetyRefused(v.View, refusal, v.dishName(refusal.Dish))
		case err != nil:
			s.fail(w, r, err)
			return
		default:
			http.Redirect(w, r, withDone(safetyMealURL(v.Menu.Sitting), "samples")+"#samples", http.StatusSeeOther)
			return
		}
	}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, safetyMealPage(v))
}

// sampleField is the field of the form that a refusal is about.
func sampleField(r *Refusal) string {
	switch r.Rule {
	case RuleSamplePlace:
		return "place"
	case RuleSampleTime:
		return "time"
	}
	return gramsField(idOf(r.Dish))
}

// readSamples reads the form, and notes what cannot be read.
func (v *safetyMealView) readSamples(form url.Values, loc *time.Location) (samples []Sample) {
	v.Place, v.Time = oneLine(form.Get("place")), typed(form, "time")
	minutes, err := minutesOf(v.Time)
	at, ok := v.Menu.Day.At(minutes, loc)
	if err != nil || !ok {
		v.Mistakes["time"] = v.T("canteen.safety.wrong.time")
	}
	for i, d := range v.Dishes {
		text := typed(form, gramsField(d.Dish.ID))
		v.Dishes[i].Grams = text
		if text == "" {
			continue
		}
		v.Dishes[i].Correct = d.Sample.ID != uuid.Nil // its field is shown again
		grams, ok := parseDecimal(text, 0)
		if !ok {
			v.Mistakes[gramsField(d.Dish.ID)] = v.T("canteen.safety.wrong.grams")
			continue
		}
		samples = append(samples, Sample{Sitting: v.Menu.Sitting, Dish: d.Dish.ID, Grams: int(grams), Place: v.Place, TakenAt: at})
	}
	return samples
}

func (v safetyMealView) mistakes() []web.FieldError {
	fields := []string{""}
	for _, d := range v.Dishes {
		fields = append(fields, usesField(d.Dish.ID))
	}
	for _, d := range v.Dishes {
		fields = append(fields, gramsField(d.Dish.ID))
	}
	return inOrder(v.Mistakes, append(fields, "place", "time")...)
}

// toSample are the dishes that the form of samples asks for: those that were not
// sampled, or, if one is to be corrected, that one.
func (v safetyMealView) toSample() (dishes []mealDish) {
	for _, d := range v.Dishes {
		if d.Correct {
			return []mealDish{d}
		}
		_, planned := v.Menu.Item(d.Dish.ID)
		if v.CanSample && planned && d.Sample.ID == uuid.Nil {
			dishes = append(dishes, d)
		}
	}
	return dishes
}

// sampled are the dishes of which there is a sample.
func (v safetyMealView) sampled() []mealDish {
	return slices.DeleteFunc(slices.Clone(v.Dishes), func(d mealDish) bool { return d.Sample.ID == uuid.Nil })
}

// batchNames are what a dish's batches are called.
func (v safetyMealView) batchNames(d mealDish) string {
	var names []string
	for _, b := range v.Batches {
		if slices.Contains(d.Chosen, b.ID.String()) {
			names = append(names, b.Ingredient)
		}
	}
	return joined(v.View, names)
}

// batchOptions are the batches to tick.
func (v safetyMealView) batchOptions() []web.Option {
	options := make([]web.Option, len(v.Batches))
	for i, b := range v.Batches {
		_, text := freshness(v.View, b.Batch, v.Menu.Day)
		detail := b.From + " · " + text
		if b.Lot != "" {
			detail = b.From + " · " + v.T("canteen.safety.lotOf", "Lot", b.Lot) + " · " + text
		}
		options[i] = web.Option{Value: b.ID.String(), Label: b.Ingredient, Detail: detail}
	}
	return options
}

// sampleText says what was kept of a dish, where and by whom.
func sampleText(v web.View, s Sample, names staffNames) string {
	return v.T("canteen.safety.sampleOf", "Grams", s.Grams, "Time", whenText(v, s.TakenAt), "Place", s.Place, "Who", names.of(v, s.TakenBy))
}

// sampleState says whether a sample is to be kept, may be discarded, or is gone.
func sampleState(v web.View, s Sample, now time.Time) (web.Tone, string) {
	switch {
	case !s.DiscardedAt.IsZero():
		return web.Info, v.T("canteen.safety.discardedAt", "Time", whenText(v, s.DiscardedAt))
	case now.Before(s.DiscardFrom()):
		return web.Success, v.T("canteen.safety.keepUntil", "Time", whenText(v, s.DiscardFrom()))
	}
	return web.Warning, v.T("canteen.safety.mayDiscard")
}

// samplesView is the register of samples of a month, and those that are kept.
type samplesView struct {
	desk
	Month   civil.Month
	Kept    []Sample
	Samples []Sample
	Dishes  map[uuid.UUID]Dish
	Names   staffNames
	// Canteens are their names as people know them.
	Canteens map[string]Canteen
}

// pageMonth is the month that an address names; this one if it names none.
func (s *service) pageMonth(r *http.Request) (civil.Month, error) {
	text := r.URL.Query().Get("month")
	if text == "" {
		return civil.MonthOf(s.today()), nil
	}
	month, err := civil.ParseMonth(text)
	if err != nil {
		return "", ErrNotFound
	}
	return month, nil
}

// monthName is a month in the reader's words.
func monthName(v web.View, m civil.Month) string { return v.MonthOf(noon(v, m.First())) }

func (s *service) samplesPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.samplesView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, samplesPage(v))
}

func (s *service) samplesView(r *http.Request) (v samplesView, err error) {
	ctx := r.Context()
	v.desk, v.Canteens = s.desk(r, safetyPath), map[string]Canteen{}
	if v.Month, err = s.pageMonth(r); err != nil {
		return v, err
	}
	if v.Kept, err = s.store.KeptSamples(ctx); err != nil {
		return v, err
	}
	if v.Samples, err = s.store.Samples(ctx, "", v.Month.First(), v.Month.Last()); err != nil {
		return v, err
	}
	ids := map[uuid.UUID]bool{}
	var people []string
	for _, sample := range slices.Concat(v.Kept, v.Samples) {
		ids[sample.Dish] = true
		people = append(people, sample.TakenBy, sample.DiscardedBy)
		if _, known := v.Canteens[sample.Canteen]; !known {
			if v.Canteens[sample.Canteen], err = s.store.Canteen(ctx, sample.Canteen); err != nil {
				return v, err
			}
		}
	}
	if v.Dishes, err = dishesIn(ctx, s.store.db.Reader(), ids); err != nil {
		return v, err
	}
	v.Names, err = s.staffNames(ctx, v.View, people...)
	return v, err
}

func (v samplesView) mealOf(s Sitting) string {
	c := v.Canteens[s.Canteen]
	name := c.mealName(s.Meal)
	if len(v.Canteens) > 1 {
		name = c.DisplayName + " " + name
	}
	return v.ShortDay(noon(v.View, s.Day)) + " " + name
}

func samplesURL(month civil.Month) string { return samplesPath + "?month=" + string(month) }

// samplesTable is the register as inspectors ask for it.
func samplesTable(v samplesView) web.Table {
	t := web.Table{Caption: v.T("canteen.safety.samplesOf", "Month", monthName(v.View, v.Month)), Titled: true, Columns: []web.Column{
		{Label: v.T("canteen.staff.meal")}, {Label: v.T("canteen.staff.dish")}, {Label: v.T("canteen.safety.field.gramsShort"), Number: true},
		{Label: v.T("canteen.safety.taken")}, {Label: v.T("canteen.safety.field.place")}, {Label: v.T("canteen.safety.discarded")},
	}}
	for _, s := range v.Samples {
		discarded := "–"
		if !s.DiscardedAt.IsZero() {
			discarded = whenText(v.View, s.DiscardedAt) + " " + v.Names.of(v.View, s.DiscardedBy)
		}
		t.Rows = append(t.Rows, []templ.Component{
			web.Text(v.mealOf(s.Sitting)), web.Text(dishName(v.View, v.Dishes[s.Dish])), web.Text(strconv.Itoa(s.Grams)),
			web.Text(whenText(v.View, s.TakenAt) + " " + v.Names.of(v.View, s.TakenBy)), web.Text(s.Place), web.Text(discarded),
		})
	}
	return t
}

// discardSample keeps that a sample was discarded.
func (s *service) discardSample(w http.ResponseWriter, r *http.Request) {
	_, err := s.store.DiscardSample(r.Context(), s.by(r.Context()), idOf(r.PathValue("sample")))
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		v, failed := s.samplesView(r)
		if failed != nil {
			s.fail(w, r, failed)
			return
		}
		v.Problem = safetyRefused(v.View, refusal, "")
		s.pages.Render(w, r, http.StatusConflict, samplesPage(v))
		return
	}
	if err != nil && !errors.Is(err, ErrStale) { // who presses twice sees that it is gone
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(samplesPath, "sampleGone")+"#kept", http.StatusSeeOther)
}
