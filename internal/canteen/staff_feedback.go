package canteen

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// cooksAndManagers are those who read what residents say.
var cooksAndManagers = []identity.Duty{identity.Kitchen, identity.Manager}

// Paths of the staff's pages about what residents say.
const (
	staffFeedbackPath      = staffPath + "feedback"
	staffFeedbackMonthPath = staffFeedbackPath + "/months"
	staffFeedbackOrderPath = staffFeedbackPath + "/orders/"
)

// Limits of these pages.
const (
	// saidShown is how many ratings a page has, maxSaidPages how many pages
	// there are.
	saidShown    = 50
	maxSaidPages = 100
	// dishMonths is for how many months a dish is followed back.
	dishMonths = 12
)

// feedbackView is what residents said about dishes.
type feedbackView struct {
	desk
	Said []Said
	// All are the dishes to choose from, Dishes those dishes by ID.
	All    []Dish
	Dishes map[uuid.UUID]Dish
	// Dish is the ID of the dish that is asked for, or empty; Complaints says
	// that only complaints are.
	Dish       string
	Complaints bool
	// Number counts the pages from 0; More says that there is another.
	Number int
	More   bool
	// Places are what the meals are called.
	Places map[Sitting]string
	// Months are those of the dish that is asked for.
	Months []MonthStars
}

func (s *service) feedbackPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.feedback(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, feedbackPage(v))
}

func (s *service) feedback(r *http.Request) (v feedbackView, err error) {
	ctx, query := r.Context(), r.URL.Query()
	v.desk = s.desk(r, staffFeedbackPath)
	if v.All, v.Dishes, err = s.allDishes(ctx); err != nil {
		return v, err
	}
	f := SaidFilter{Dish: idOf(query.Get("dish")), Complaints: query.Get("which") == "complaints", Limit: saidShown + 1}
	if f.Dish != uuid.Nil {
		v.Dish = f.Dish.String()
	}
	v.Complaints = f.Complaints
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		v.Number = min(n, maxSaidPages-1)
	}
	f.Skip = v.Number * saidShown
	if v.Said, err = s.store.Said(ctx, f); err != nil {
		return v, err
	}
	if len(v.Said) > saidShown {
		v.Said, v.More = v.Said[:saidShown], v.Number < maxSaidPages-1
	}
	v.Places = map[Sitting]string{}
	for _, said := range v.Said {
		if v.Places[said.Sitting] != "" {
			continue
		}
		meal, place, err := s.placeOf(r, said.Sitting)
		if err != nil {
			return v, err
		}
		v.Places[said.Sitting] = place + " " + meal
	}
	if f.Dish != uuid.Nil {
		v.Months, err = s.store.StarsByMonth(ctx, civil.MonthOf(s.today()).Add(1-dishMonths), civil.MonthOf(s.today()), f.Dish)
	}
	return v, err
}

// allDishes are all dishes, those that are off the list too, and the same by
// ID.
func (s *service) allDishes(ctx context.Context) ([]Dish, map[uuid.UUID]Dish, error) {
	all, err := s.store.Dishes(ctx, true)
	by := make(map[uuid.UUID]Dish, len(all))
	for _, d := range all {
		by[d.ID] = d
	}
	return all, by, err
}

// pageURL is another page of what is asked for.
func (v feedbackView) pageURL(number int) string {
	q := url.Values{}
	if v.Dish != "" {
		q.Set("dish", v.Dish)
	}
	if v.Complaints {
		q.Set("which", "complaints")
	}
	if number > 0 {
		q.Set("page", strconv.Itoa(number))
	}
	return staffFeedbackPath + "?" + q.Encode()
}

func (v feedbackView) newer() web.Link {
	if v.Number == 0 {
		return web.Link{}
	}
	return web.Link{Label: v.T("canteen.feedback.newer"), Href: v.pageURL(v.Number - 1)}
}

func (v feedbackView) older() web.Link {
	if !v.More {
		return web.Link{}
	}
	return web.Link{Label: v.T("canteen.feedback.older"), Href: v.pageURL(v.Number + 1)}
}

func (v feedbackView) dishOptions() []web.Option {
	options := []web.Option{{Label: v.T("canteen.feedback.allDishes")}}
	for _, d := range v.All {
		options = append(options, web.Option{Value: d.ID.String(), Label: d.Name})
	}
	return options
}

func (v feedbackView) whichOptions() []web.Option {
	return []web.Option{{Label: v.T("canteen.feedback.all")}, {Value: "complaints", Label: v.T("canteen.feedback.complaints")}}
}

// which is the option that is chosen.
func (v feedbackView) which() string {
	if v.Complaints {
		return "complaints"
	}
	return ""
}

// Manager says that the reader may see who said something.
func (d desk) Manager() bool { return d.has(managers) }

// monthsView is what came of a month's ratings, by dish.
type monthsView struct {
	desk
	// Month is as it was typed, YYYY-MM.
	Month    string
	Rows     []MonthStars
	Dishes   map[uuid.UUID]Dish
	Mistakes map[string]string
}

func (s *service) feedbackMonthsPage(w http.ResponseWriter, r *http.Request) {
	v := monthsView{desk: s.desk(r, staffFeedbackPath), Mistakes: map[string]string{}}
	v.Month = string(civil.MonthOf(s.today()))
	if text := typed(r.URL.Query(), "month"); text != "" {
		v.Month = text
	}
	month, err := civil.ParseMonth(v.Month)
	if err != nil {
		v.Mistakes["month"] = v.T("canteen.staff.wrong.month")
		s.pages.Render(w, r, http.StatusUnprocessableEntity, feedbackMonthsPage(v))
		return
	}
	if _, v.Dishes, err = s.allDishes(r.Context()); err == nil {
		v.Rows, err = s.store.StarsByMonth(r.Context(), month, month, uuid.Nil)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// What was liked least is looked at first.
	slices.SortStableFunc(v.Rows, func(a, b MonthStars) int { return a.Average() - b.Average() })
	s.pages.Render(w, r, http.StatusOK, feedbackMonthsPage(v))
}

// starsColumns are those of tables of averages; first is what names a row.
func starsColumns(v web.View, first string) []web.Column {
	return []web.Column{
		{Label: first}, {Label: v.T("canteen.feedback.average"), Number: true}, {Label: v.T("canteen.feedback.count"), Number: true},
	}
}

func starsRow(first templ.Component, s Stars) []templ.Component {
	return []templ.Component{first, web.Text(tenths(s.Average())), web.Text(strconv.Itoa(s.Ratings))}
}

// monthTable are the averages of a month, with the way to what was said.
func monthTable(v monthsView) web.Table {
	t := web.Table{Caption: v.T("canteen.feedback.monthsOf", "Month", v.Month), Titled: true, Columns: starsColumns(v.View, v.T("canteen.feedback.dish"))}
	for _, row := range v.Rows {
		t.Rows = append(t.Rows, starsRow(dishFeedbackLink(v.Dishes[row.Dish]), row.Stars))
	}
	return t
}

// dishTable are the averages of a dish, the latest month first.
func dishTable(v feedbackView) web.Table {
	t := web.Table{
		Caption: v.T("canteen.feedback.monthsOfDish", "Dish", v.Dishes[idOf(v.Dish)].Name), Columns: starsColumns(v.View, v.T("canteen.feedback.month")),
	}
	for _, row := range slices.Backward(v.Months) {
		t.Rows = append(t.Rows, starsRow(web.Text(string(row.Month)), row.Stars))
	}
	return t
}

// feedbackOrderView is who said something about a meal, for managers who call
// back.
type feedbackOrderView struct {
	staffOrderView
	Ratings map[uuid.UUID]Rating
	Dishes  map[uuid.UUID]Dish
}

// feedbackOrderPage shows whose order was rated. That it is looked at is
// recorded.
func (s *service) feedbackOrderPage(w http.ResponseWriter, r *http.Request) {
	var v feedbackOrderView
	var err error
	if v.staffOrderView, err = s.staffOrder(r); err == nil {
		v.desk = s.desk(r, staffFeedbackPath)
		v.Dishes, err = s.store.DishesOf(r.Context(), v.Order)
	}
	if err == nil {
		v.Ratings, err = s.store.RatingsOf(r.Context(), Reach{Staff: true}, v.Order.ID)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, feedbackOrderPage(v))
}
