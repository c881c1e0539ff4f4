package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// traceView is the one page on which is followed where a batch went and where a
// meal came from.
type traceView struct {
	desk
	Today civil.Date
	// Search and Day are what a complaint says: a code or a name, and the day.
	// Text is a part of an ingredient, a lot or a supplier.
	Search, Text string
	Day          civil.Date
	// Orders are those that a complaint may be about, Batches those that may be
	// meant.
	Orders  []Order
	Batches []batchLine
	// Batch is the batch that is followed, with its supplier; nil if none is.
	Batch *batchLine
	From  Supplier
	// Order is the order that a complaint is about; nil if none is.
	Order *Order
	// Cooked are the dishes that are followed: those into which the batch went,
	// those of the order, or the one of the address.
	Cooked []tracedDish
	// Eaten are the orders that had one of them, for managers only.
	Eaten []Eaten
	// Menus and Canteens are what is needed to name all these.
	Canteens map[string]Canteen
	Dishes   map[uuid.UUID]Dish
	Mistakes map[string]string
}

// tracedDish is a dish of a sitting, what went into it, and how many had it.
type tracedDish struct {
	Cooked
	Reached
	// Batches are what went into it, and Others the other dishes into which each
	// of these went.
	Batches []batchLine
	Others  map[uuid.UUID][]Cooked
}

// maxEatersShown is how many orders the page lists; the file has all.
const maxEatersShown = 200

// found says that something is followed.
func (v traceView) found() bool { return v.Batch != nil || v.Order != nil || len(v.Cooked) > 0 }

// people says that it is followed who had something: a batch, or a dish. From a
// complaint one first goes to the dish that is suspected.
func (v traceView) people() bool { return v.found() && v.Order == nil }

func traceBatchURL(id uuid.UUID) string { return tracePath + "?batch=" + id.String() }

func traceOrderURL(id uuid.UUID) string { return tracePath + "?order=" + id.String() }

func traceDishURL(c Cooked) string { return tracePath + "?" + c.query().Encode() }

// query is the dish as a part of an address.
func (c Cooked) query() url.Values {
	values := c.Sitting.query()
	values.Set("dish", c.Dish.String())
	return values
}

func (s *service) tracePage(w http.ResponseWriter, r *http.Request) {
	v, err := s.traceView(r)
	if err == nil && v.people() && v.Manager() {
		v.Eaten, err = s.store.Eaters(r.Context(), s.by(r.Context()), v.about(), v.cooked(), false, s.location())
	}
	if err == nil {
		err = s.traceNames(r.Context(), &v)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if len(v.Mistakes) > 0 {
		status = http.StatusUnprocessableEntity
	}
	s.pages.Render(w, r, status, tracePage(v))
}

// about names in records what is followed.
func (v traceView) about() string {
	if v.Batch != nil {
		return v.Batch.ID.String()
	}
	return v.Cooked[0].Cooked.String()
}

// cooked are the dishes that are followed.
func (v traceView) cooked() []Cooked {
	cooked := make([]Cooked, len(v.Cooked))
	for i, d := range v.Cooked {
		cooked[i] = d.Cooked
	}
	return cooked
}

// traceView follows what the address names.
func (s *service) traceView(r *http.Request) (v traceView, err error) {
	ctx, q := r.Context(), r.URL.Query()
	v.desk, v.Today, v.Mistakes = s.desk(r, safetyPath), s.today(), map[string]string{}
	v.Search, v.Text, v.Day = typed(q, "q"), typed(q, "text"), s.today()
	if text := typed(q, "date"); text != "" {
		if v.Day, err = parseDay("date", text); err != nil {
			v.Day, v.Mistakes["date"] = v.Today, v.T("canteen.safety.wrong.date")
			return v, nil
		}
	}
	by, named := s.by(ctx), v.Manager()
	switch {
	case q.Get("batch") != "":
		err = s.followBatch(ctx, &v, idOf(q.Get("batch")))
	case q.Get("order") != "":
		var o Order
		if o, err = s.store.Complaint(ctx, by, idOf(q.Get("order")), named, s.location()); err == nil {
			v.Order, v.Day = &o, o.Day
			for _, l := range o.Lines {
				v.Cooked = append(v.Cooked, tracedDish{Cooked: Cooked{o.Sitting, idOf(l.Dish)}})
			}
		}
	case q.Get("dish") != "":
		var sitting Sitting
		if sitting, err = sittingFrom(q); err == nil {
			v.Cooked = []tracedDish{{Cooked: Cooked{sitting, idOf(q.Get("dish"))}}}
			_, err = s.store.Dish(ctx, idOf(q.Get("dish")))
		}
	case v.Search != "":
		v.Orders, err = s.store.Complaints(ctx, by, v.Day, v.Search, named, s.location())
	case v.Text != "":
		var batches []Batch
		if batches, err = s.store.Batches(ctx, BatchQuery{Text: v.Text, Limit: batchesShown}); err == nil {
			v.Batches, err = s.lines(ctx, batches)
		}
	}
	if err == nil {
		err = s.followDishes(ctx, &v)
	}
	return v, err
}

func (s *service) lines(ctx context.Context, batches []Batch) ([]batchLine, error) {
	suppliers, err := s.store.Suppliers(ctx)
	return withSuppliers(batches, suppliers), err
}

// followBatch finds where a batch came from and into which dishes it went.
func (s *service) followBatch(ctx context.Context, v *traceView, id uuid.UUID) error {
	b, err := s.store.Batch(ctx, id)
	if err != nil {
		return err
	}
	if v.From, err = s.store.Supplier(ctx, b.Supplier); err != nil {
		return err
	}
	v.Batch = &batchLine{b, v.From.Name}
	uses, err := s.store.UsesOfBatches(ctx, b.ID)
	for _, c := range cookedOf(uses) {
		v.Cooked = append(v.Cooked, tracedDish{Cooked: c})
	}
	return err
}

// followDishes finds how many had the dishes that are followed, and, unless it
// is a batch that is followed, what went into them and where else that went.
func (s *service) followDishes(ctx context.Context, v *traceView) error {
	reached, err := s.store.Reached(ctx, v.cooked())
	if err != nil {
		return err
	}
	for i := range v.Cooked {
		v.Cooked[i].Reached = reached[v.Cooked[i].Cooked]
		if v.Batch != nil {
			continue
		}
		if err := s.followBack(ctx, &v.Cooked[i]); err != nil {
			return err
		}
	}
	return nil
}

// followBack finds what went into a dish, and where else that went.
func (s *service) followBack(ctx context.Context, d *tracedDish) error {
	uses, err := s.store.UsesOf(ctx, d.Sitting)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, u := range uses {
		if u.Dish == d.Dish {
			ids = append(ids, u.Batch)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	batches, err := s.store.Batches(ctx, BatchQuery{IDs: ids})
	if err != nil {
		return err
	}
	if d.Batches, err = s.lines(ctx, batches); err != nil {
		return err
	}
	others, err := s.store.UsesOfBatches(ctx, ids...)
	d.Others = map[uuid.UUID][]Cooked{}
	for _, u := range others {
		if c := (Cooked{u.Sitting, u.Dish}); c != d.Cooked {
			d.Others[u.Batch] = append(d.Others[u.Batch], c)
		}
	}
	return err
}

// traceNames reads what the dishes and canteens of the page are called.
func (s *service) traceNames(ctx context.Context, v *traceView) (err error) {
	ids := map[uuid.UUID]bool{}
	v.Canteens = map[string]Canteen{}
	see := func(c Cooked) error {
		ids[c.Dish] = true
		if _, known := v.Canteens[c.Canteen]; known {
			return nil
		}
		canteen, err := s.store.Canteen(ctx, c.Canteen)
		if errors.Is(err, ErrNotFound) {
			return ErrNotFound
		}
		v.Canteens[c.Canteen] = canteen
		return err
	}
	for _, d := range v.Cooked {
		all := []Cooked{d.Cooked}
		for _, others := range d.Others {
			all = append(all, others...)
		}
		for _, c := range all {
			if err := see(c); err != nil {
				return err
			}
		}
	}
	for _, o := range v.Orders {
		for _, l := range o.Lines {
			if err := see(Cooked{o.Sitting, idOf(l.Dish)}); err != nil {
				return err
			}
		}
	}
	v.Dishes, err = dishesIn(ctx, s.store.db.Reader(), ids)
	return err
}

// mealOf names a meal with its day.
func (v traceView) mealOf(s Sitting) string {
	c := v.Canteens[s.Canteen]
	return v.T("canteen.safety.mealOf", "Day", v.Date(noon(v.View, s.Day)), "Canteen", c.DisplayName, "Meal", c.mealName(s.Meal))
}

// dishOf names a dish.
func (v traceView) dishOf(id uuid.UUID) string {
	if d, ok := v.Dishes[id]; ok {
		return dishName(v.View, d)
	}
	return v.T("canteen.safety.unknownDish")
}

// linesOf names what an order has.
func (v traceView) linesOf(lines []Line) string {
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i] = v.dishOf(idOf(l.Dish)) + " ×" + strconv.Itoa(l.Portions)
	}
	return joined(v.View, names)
}

// shown are the orders that the page lists.
func (v traceView) shown() []Eaten { return v.Eaten[:min(len(v.Eaten), maxEatersShown)] }

// fileURL is the file of those who had what is followed.
func (v traceView) fileURL() string {
	if v.Batch != nil {
		return tracePath + ".csv?batch=" + v.Batch.ID.String()
	}
	return tracePath + ".csv?" + v.Cooked[0].query().Encode()
}

// eatenState says whether a meal was handed out.
func eatenState(v web.View, e Eaten) (web.Tone, string) {
	switch e.State {
	case StateServed:
		return web.Info, v.T("canteen.safety.eaten.Served")
	case StateMissed:
		return web.Info, v.T("canteen.safety.eaten.Missed")
	}
	return web.Warning, v.T("canteen.safety.eaten.Placed")
}

// traceFile is the list of those who had what is followed, to tell them, as a
// file that spreadsheets open. Each who is in it learns of it.
func (s *service) traceFile(w http.ResponseWriter, r *http.Request) {
	v, err := s.traceView(r)
	if err == nil && !v.people() {
		err = ErrNotFound
	}
	if err == nil {
		v.Eaten, err = s.store.Eaters(r.Context(), s.by(r.Context()), v.about(), v.cooked(), true, s.location())
	}
	if err == nil {
		err = s.traceNames(r.Context(), &v)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	lines := [][]string{{
		v.T("canteen.safety.file.name"), v.T("canteen.safety.file.phone"), v.T("canteen.staff.day"), v.T("canteen.staff.meal"),
		v.T("canteen.staff.dishes"), v.T("canteen.staff.way"), v.T("canteen.staff.state"), v.T("canteen.staff.code"),
	}}
	for _, e := range v.Eaten {
		_, state := eatenState(v.View, e)
		c := v.Canteens[e.Canteen]
		meal, ok := c.Meal(e.Meal)
		if !ok {
			meal.DisplayName = e.Meal
		}
		lines = append(lines, []string{
			eaterName(v.View, e.Order), e.Phone, e.Day.String(), strings.TrimSpace(c.DisplayName + " " + meal.DisplayName), v.linesOf(e.Of), wayText(v.View, e.Way), state, e.Code,
		})
	}
	content, err := web.CSV(lines)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="trace-`+v.Today.String()+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(content); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}
