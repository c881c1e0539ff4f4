package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// staffOrderView is what the staff's page of an order shows.
type staffOrderView struct {
	desk
	Served
	Order Order
}

// staffOrder prepares the page of the order that the address names. That it is
// looked at is recorded.
func (s *service) staffOrder(r *http.Request) (v staffOrderView, err error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return v, err
	}
	if v.Order, err = s.store.See(r.Context(), s.by(r.Context()), id); err != nil {
		return v, err
	}
	v.desk = s.desk(r, staffPath)
	v.Served, err = s.servedAt(r, v.Order.Sitting)
	return v, err
}

func (s *service) staffOrderPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.staffOrder(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffOrderPage(v))
}

func (s *service) staffCancelPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.staffOrder(r)
	if err == nil && v.Order.State != StatePlaced {
		http.Redirect(w, r, staffOrderURL(v.Order.ID), http.StatusSeeOther)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffCancelPage(v))
}

// tick is what a button at an order does. It leads back to where the button
// was; what could not be done is said on the page of the order.
func (s *service) tick(done string, do func(ctx context.Context, a Act) (Order, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.staffForm(w, r) {
			return
		}
		id, err := parseID(r.PathValue("id"))
		if err == nil {
			_, err = do(r.Context(), s.staffAct(r.Context(), id))
		}
		if _, refused := errors.AsType[*Refusal](err); refused {
			v, failed := s.staffOrder(r)
			if failed != nil {
				s.fail(w, r, failed)
				return
			}
			v.Problem, _ = notDone(v.View, err, v.Menu)
			s.pages.Render(w, r, http.StatusConflict, staffOrderPage(v))
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if back := web.LocalPath(r.PostForm.Get("back")); strings.HasPrefix(back, staffMealsPath) {
			// There the order itself shows what was done.
			http.Redirect(w, r, back+"#o-"+id.String(), http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, withDone(staffOrderURL(id), done), http.StatusSeeOther)
	}
}

// staffStateText is what has become of an order, in the staff's words.
func staffStateText(v web.View, o Order) (web.Tone, string) {
	switch o.State {
	case StateServed:
		return web.Success, v.T("canteen.staff.served")
	case StateMissed:
		return web.Warning, v.T("canteen.staff.missed")
	}
	return map[bool]web.Tone{true: web.Warning, false: web.Info}[o.State == StatePlacing], v.T("canteen.staff.state." + string(o.State))
}

// counterView is what the page shows on which the staff order for somebody.
type counterView struct {
	desk
	// Choice are the meals that can be ordered now; Served is the one that is.
	Choice []glanceMeal
	Served
	// Query is a name or number that was looked for, Found are the people who
	// may be meant.
	Query string
	Found []identity.Person
	// What is chosen and was typed. Who is a person's ID, or empty for somebody
	// without a record.
	Who, Guest, Wish string
	Way              v1alpha1.Way
	Payment          Payment
	// Portions are what was typed for the dishes, by ID.
	Portions map[string]string
	// Key makes the form, however often it is sent, one order.
	Key string
	// Mistakes are by the id of their field; the empty id is the form as a whole.
	Mistakes map[string]string
}

// Limits of the page.
const (
	maxFoundPeople = 8
	maxGuestName   = 30
)

// counterURL is the page on which a meal is ordered for somebody at the counter.
func counterURL(s Sitting) string { return staffOrderPath + "?" + s.query().Encode() }

// counterView prepares the page from an address or a form. Without a meal it is
// for the next one that can still be ordered.
func (s *service) counterView(r *http.Request, form url.Values) (v counterView, err error) {
	v.desk = s.desk(r, staffOrderPath)
	ctx, today := r.Context(), s.today()
	canteens, err := s.store.Canteens(ctx)
	if err != nil {
		return v, err
	}
	last := today.AddDays(1)
	menus, err := s.store.Menus(ctx, "", today, last, false)
	if err != nil {
		return v, err
	}
	for day := today; day.DaysSince(last) <= 0; day = day.AddDays(1) {
		for _, m := range s.mealsOf(canteens, menus, nil, day) {
			if m.Menu.Version > 0 && v.Now.Before(m.To) {
				v.Choice = append(v.Choice, m)
			}
		}
	}
	v.Key, v.Payment, v.Way, v.Mistakes = uuid.NewString(), PayCounter, v1alpha1.WayEatIn, map[string]string{}
	switch {
	case form.Get("meal") != "":
		sitting, err := sittingFrom(form)
		if err == nil {
			v.Served, err = s.servedAt(r, sitting)
		}
		if err != nil {
			return v, err
		}
	case len(v.Choice) > 0:
		v.Served = v.Choice[0].Served
	default:
		return v, nil
	}
	if len(v.Meal.Ways) > 0 && !slices.Contains(v.Meal.Ways, v.Way) {
		v.Way = v.Meal.Ways[0]
	}
	if v.Query = typed(form, "q"); v.Query == "" {
		return v, nil
	}
	// The service of residents records who looked for whom.
	v.Found, err = s.people.Find(ctx, v.Query, maxFoundPeople)
	if len(v.Found) > 0 {
		v.Who = v.Found[0].ID
	} else {
		v.Guest = v.Query
	}
	return v, err
}

func (s *service) counterPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.counterView(r, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, counterPage(v))
}

// dishField is the name of the field of a dish in a form.
func dishField(id uuid.UUID) string { return "dish-" + id.String() }

// fill fills in what was chosen and typed, and notes what is wrong with it.
func (v *counterView) fill(form url.Values) (lines []Line, err error) {
	v.Key = form.Get("key")
	if uuid.Validate(v.Key) != nil {
		return nil, errBadForm
	}
	v.Who, v.Guest, v.Wish = form.Get("who"), typed(form, "guest"), strings.Join(strings.Fields(form.Get("wish")), " ")
	v.Way, v.Payment = v1alpha1.Way(form.Get("way")), Payment(form.Get("payment"))
	if v.Payment != PayPurse && v.Payment != PayCounter {
		return nil, errBadForm
	}
	v.Portions = map[string]string{}
	for _, item := range v.Menu.Items {
		field := dishField(item.Dish.ID)
		text := typed(form, field)
		v.Portions[field] = text
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 10)
		if err != nil {
			v.Mistakes[field] = v.T("canteen.staff.portionsWrong", "Dish", dishName(v.View, item.Dish))
		} else if n > 0 {
			lines = append(lines, Line{Dish: item.Dish.ID.String(), Portions: int(n)})
		}
	}
	if utf8.RuneCountInString(v.Guest) > maxGuestName {
		v.Mistakes["guest"] = v.T("canteen.staff.tooLong", "Count", maxGuestName)
	}
	if v.Who == "" && v.Payment == PayPurse {
		v.Mistakes["payment"] = v.T("canteen.staff.guestPurse")
	}
	return lines, nil
}

func (s *service) orderAtCounter(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.counterView(r, r.PostForm)
	if err == nil && v.Menu.Version == 0 {
		err = ErrNotFound
	}
	var lines []Line
	if err == nil {
		lines, err = v.fill(r.PostForm)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(v.Mistakes) == 0 {
		var o Order
		o, err = s.placeAtCounter(r.Context(), v, lines)
		text, refused := notDone(v.View, err, v.Menu)
		switch {
		case err == nil:
			http.Redirect(w, r, withDone(staffOrderURL(o.ID), "ordered"), http.StatusSeeOther)
			return
		case refused:
			v.Mistakes[""] = text
		case errors.Is(err, ErrKeyReused):
			v.Mistakes[""] = v.T("canteen.staff.alreadySent")
		case o.ID != uuid.Nil:
			// It is kept, and the purse will be asked again; the page of the order
			// says so.
			s.log.WarnContext(r.Context(), "a payment is gone on with later", "order", o.ID.String(), "error", err.Error())
			http.Redirect(w, r, staffOrderURL(o.ID), http.StatusSeeOther)
			return
		default:
			s.fail(w, r, err)
			return
		}
		v.Key = uuid.NewString() // the form goes on as another one
	}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, counterPage(v))
}

func (s *service) placeAtCounter(ctx context.Context, v counterView, lines []Line) (Order, error) {
	want := Wanted{
		Sitting: v.Menu.Sitting, Content: Content{Lines: lines, Way: v.Way, Wish: v.Wish}, Payment: v.Payment, Payer: v.Who, Key: v.Key, Staff: true,
	}
	want, err := s.forSomebody(ctx, want, v.Who, v.Guest)
	if err != nil {
		return Order{}, err
	}
	return s.place(ctx, want)
}

// mistakes are what the form says is wrong, in the order of its fields.
func (v counterView) mistakes() []web.FieldError {
	fields := []string{"", "guest"}
	for _, item := range v.Menu.Items {
		fields = append(fields, dishField(item.Dish.ID))
	}
	return inOrder(v.Mistakes, append(fields, "payment")...)
}

// inOrder are mistakes in the order of the fields.
func inOrder(mistakes map[string]string, fields ...string) (list []web.FieldError) {
	for _, field := range fields {
		if mistakes[field] != "" {
			list = append(list, web.FieldError{Field: field, Message: mistakes[field]})
		}
	}
	return list
}

// people are those who were found, to choose from.
func (v counterView) people() []web.Option {
	options := make([]web.Option, len(v.Found))
	for i, p := range v.Found {
		options[i] = web.Option{Value: p.ID, Label: v.Name(p.Name, p.LatinName), Detail: p.Phone}
	}
	return options
}
