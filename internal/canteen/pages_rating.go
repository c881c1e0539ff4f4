package canteen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// ratingView is what the form shows on which a household says how a meal was.
type ratingView struct {
	ownView
	// Chosen and Typed are the stars and the lines by dish.
	Chosen, Typed map[string]string
	Mistakes      map[string]string
}

// doneRated is what the page of an order says was just done.
const doneRated = "rated"

// rateUntil is until when an order can be rated; zero if it cannot be.
func rateUntil(o Order, now time.Time) time.Time {
	if until := o.EndedAt.Add(rateFor); o.State == StateServed && now.Before(until) {
		return until
	}
	return time.Time{}
}

// rateURL is where an order is rated.
func rateURL(id uuid.UUID) string { return orderURL(id) + "/rate" }

// starsField and lineField are the fields of a dish.
func starsField(dish string) string { return "stars-" + dish }

func lineField(dish string) string { return "line-" + dish }

// rating prepares the form; false if it was answered already, because the order
// cannot be rated.
func (s *service) rating(w http.ResponseWriter, r *http.Request) (p ratingView, ok bool) {
	own, err := s.own(r)
	if err != nil {
		s.fail(w, r, err)
		return p, false
	}
	if own.RateUntil.IsZero() {
		http.Redirect(w, r, orderURL(own.ID), http.StatusSeeOther)
		return p, false
	}
	p = ratingView{ownView: own, Chosen: map[string]string{}, Typed: map[string]string{}, Mistakes: map[string]string{}}
	for dish, said := range own.Ratings {
		p.Chosen[dish.String()], p.Typed[dish.String()] = strconv.Itoa(said.Stars), said.Line
	}
	return p, true
}

func (s *service) ratePage(w http.ResponseWriter, r *http.Request) {
	if p, ok := s.rating(w, r); ok {
		s.pages.Render(w, r, http.StatusOK, ratePage(s.pages.View(r), p))
	}
}

func (s *service) rateFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, ok := s.rating(w, r)
	if !ok {
		return
	}
	v := s.pages.View(r)
	ratings := p.read(v, form)
	if len(p.Mistakes) > 0 {
		s.pages.Render(w, r, http.StatusUnprocessableEntity, ratePage(v, p))
		return
	}
	err = s.store.Rate(r.Context(), s.act(r.Context(), p.ID), ratings)
	if refusal, refused := errors.AsType[*Refusal](err); refused {
		p.Mistakes[""] = refusalText(v, refusal, dishName(v, p.Dishes[idOf(refusal.Dish)]))
		s.pages.Render(w, r, statusOf(refusal), ratePage(v, p))
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, orderURL(p.ID)+"?"+url.Values{"done": {doneRated}}.Encode(), http.StatusSeeOther)
}

// read reads the form, and notes what is wrong. Dishes of which nothing is said
// are left out.
func (p *ratingView) read(v web.View, form url.Values) (ratings []Rating) {
	for _, l := range listed(p.Lines, p.Dishes) {
		said := Rating{Dish: idOf(l.Dish), Line: strings.Join(strings.Fields(form.Get(lineField(l.Dish))), " ")}
		p.Chosen[l.Dish], p.Typed[l.Dish] = form.Get(starsField(l.Dish)), said.Line
		if p.Chosen[l.Dish] == "" {
			if said.Line != "" {
				p.Mistakes[starsField(l.Dish)] = v.T("canteen.rating.wrong.stars")
			}
			continue
		}
		stars, err := strconv.ParseUint(p.Chosen[l.Dish], 10, 8)
		said.Stars = int(stars)
		refusal := CheckRating(p.Order, said, p.Now)
		switch {
		case err != nil:
			p.Mistakes[starsField(l.Dish)] = v.T("canteen.rating.wrong.stars")
		case refusal != nil && refusal.Rule == RuleLineLength:
			p.Mistakes[lineField(l.Dish)] = refusalText(v, refusal, "")
		case refusal != nil:
			p.Mistakes[starsField(l.Dish)] = refusalText(v, refusal, "")
		}
		ratings = append(ratings, said)
	}
	if len(ratings) == 0 && len(p.Mistakes) == 0 {
		p.Mistakes[starsField(listed(p.Lines, p.Dishes)[0].Dish)] = v.T("canteen.rating.wrong.nothing")
	}
	return ratings
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p ratingView) mistakes() []web.FieldError {
	fields := []string{""}
	for _, l := range listed(p.Lines, p.Dishes) {
		fields = append(fields, starsField(l.Dish), lineField(l.Dish))
	}
	return inOrder(p.Mistakes, fields...)
}

// starOptions are the stars to choose from, the worst first; what was said
// before can be taken back.
func (p ratingView) starOptions(v web.View, dish string) []web.Option {
	var options []web.Option
	for stars := 1; stars <= maxStars; stars++ {
		options = append(options, web.Option{Value: strconv.Itoa(stars), Label: starsName(v, stars)})
	}
	if _, said := p.Ratings[idOf(dish)]; said {
		options = append(options, web.Option{Value: "0", Label: v.T("canteen.rating.takeBack")})
	}
	return options
}

// starsName is what people call a number of stars.
func starsName(v web.View, stars int) string {
	return v.T("canteen.rating.stars." + strconv.Itoa(stars))
}

// averageText says what the stars of a dish are on average, and of how many.
func averageText(v web.View, s Stars) string {
	return v.T("canteen.rating.average", "Stars", tenths(s.Average()), "Count", s.Ratings)
}

// withStars notes the stars of the dishes that are offered.
func (s *service) withStars(ctx context.Context, meals []offer) error {
	var dishes []uuid.UUID
	for _, m := range meals {
		for _, item := range m.Menu.Items {
			dishes = append(dishes, item.Dish.ID)
		}
	}
	stars, err := s.store.StarsOf(ctx, dishes)
	for i := range meals {
		meals[i].Stars = stars
	}
	return err
}
