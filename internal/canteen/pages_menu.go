package canteen

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// daysShown is how many days a reader chooses among.
const daysShown = 7

// menuView is what the page of a day's menus shows.
type menuView struct {
	Day, Today civil.Date
	Now        time.Time
	Meals      []offer
	// Days are today and those after it.
	Days []dayChoice
	// Household is empty if nobody is signed in.
	Household household
	// Canteens are all canteens, for what hangs at their doors.
	Canteens []Canteen
	// Staff says that the reader may use the staff's pages.
	Staff bool
}

// dayChoice is a day that the reader can choose; one without menus cannot be.
type dayChoice struct {
	Day  civil.Date
	Menu bool
}

// offer is a menu as a reader sees it.
type offer struct {
	Served
	// Open says that it can still be ordered.
	Open bool
	// Prices are what the reader would pay for a portion of each dish; nil if
	// that is no other price than everybody's.
	Prices map[string]int64
	// Tier is what the reader's lower price is called.
	Tier string
	// Stars are those of the dishes that enough people have rated.
	Stars map[uuid.UUID]Stars
	// Own are the orders of the reader's household for the meal.
	Own []Order
}

// soldOut reports whether nothing is left.
func (m offer) soldOut() bool {
	return !slices.ContainsFunc(m.Menu.Items, func(i Item) bool { return i.Left() > 0 })
}

// allOrdered reports whether all of a household have ordered the meal.
func (m offer) allOrdered(h household) bool { return len(h) > 0 && len(m.Own) >= len(h) }

func (s *service) menuPage(w http.ResponseWriter, r *http.Request) {
	day, err := s.pageDay(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.menuView(r.Context(), day)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, menuPage(s.pages.View(r), p))
}

func (s *service) menuView(ctx context.Context, day civil.Date) (p menuView, err error) {
	p = menuView{Day: day, Today: s.today(), Now: s.clock.Now(), Household: s.household(ctx), Staff: staffReads(ctx)}
	if p.Canteens, err = s.store.Canteens(ctx); err != nil {
		return p, err
	}
	if p.Meals, err = s.offers(ctx, p.Household, day, day); err != nil {
		return p, err
	}
	menus, err := s.store.Menus(ctx, "", p.Today, p.Today.AddDays(daysShown-1), false)
	if err != nil {
		return p, err
	}
	for i := range daysShown {
		c := dayChoice{Day: p.Today.AddDays(i)}
		c.Menu = slices.ContainsFunc(menus, func(m Menu) bool { return m.Day == c.Day })
		p.Days = append(p.Days, c)
	}
	return p, nil
}

// staffReads reports whether who reads may use the staff's pages.
func staffReads(ctx context.Context) bool {
	p, ok := identity.FromContext(ctx)
	return ok && slices.ContainsFunc(inCanteen, p.Has)
}

// offers are the published menus of some days as the first of a household
// sees them.
func (s *service) offers(ctx context.Context, h household, first, last civil.Date) ([]offer, error) {
	served, err := s.published(ctx, first, last)
	if err != nil {
		return nil, err
	}
	var who Eater
	if len(h) > 0 {
		if who, err = s.eater(ctx, h[0]); err != nil {
			return nil, err
		}
	}
	own, err := s.ordersByMeal(ctx)
	if err != nil {
		return nil, err
	}
	meals := make([]offer, len(served))
	for i, m := range served {
		meals[i] = offer{Served: m, Open: s.clock.Now().Before(m.CutOff)}
		for _, p := range h {
			if o, ok := own[mealOf{m.Menu.Day, m.Meal.Name, p.ID}]; ok {
				meals[i].Own = append(meals[i].Own, o)
			}
		}
		meals[i].Prices, meals[i].Tier = s.prices(who, m.Menu)
	}
	return meals, s.withStars(ctx, meals)
}

// prices are what somebody pays for a portion of each dish of a menu, and what
// the tier is called by which that is less; nil if it is not.
func (s *service) prices(who Eater, m Menu) (prices map[string]int64, tier string) {
	for _, item := range m.Items {
		id := item.Dish.ID.String()
		q := Price(s.spec().Tiers, who, m.Day, []Line{{Dish: id, Portions: 1, Price: item.Price}})
		if q.Subsidy == 0 {
			continue
		}
		if prices == nil {
			prices = map[string]int64{}
		}
		prices[id], tier = q.Pays(), s.tierName(q.Tier)
	}
	return prices, tier
}

// tierName is what people call a tier.
func (s *service) tierName(name string) string {
	for _, t := range s.spec().Tiers {
		if t.Name == name {
			return t.DisplayName
		}
	}
	return name
}

// weekView is what the page of a week's menus shows.
type weekView struct {
	Monday, Today civil.Date
	Days          []weekDay
	// Before and After say that there are menus in the weeks beside this one.
	Before, After bool
}

// weekDay is a day of a week with what is cooked.
type weekDay struct {
	Day   civil.Date
	Meals []Served
}

func (s *service) weekPage(w http.ResponseWriter, r *http.Request) {
	day, err := s.pageDay(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.weekView(r.Context(), mondayOf(day))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, weekPage(s.pages.View(r), p))
}

func (s *service) weekView(ctx context.Context, monday civil.Date) (p weekView, err error) {
	p = weekView{Monday: monday, Today: s.today()}
	served, err := s.published(ctx, monday.AddDays(-7), monday.AddDays(13))
	if err != nil {
		return p, err
	}
	for i := range 7 {
		p.Days = append(p.Days, weekDay{Day: monday.AddDays(i)})
	}
	for _, m := range served {
		switch i := m.Menu.Day.DaysSince(monday); {
		case i < 0:
			p.Before = true
		case i >= 7:
			p.After = true
		default:
			p.Days[i].Meals = append(p.Days[i].Meals, m)
		}
	}
	return p, nil
}

// doorView is what hangs at a canteen's door.
type doorView struct {
	Canteen Canteen
	Day     civil.Date
	Meals   []Served
	Tiers   []v1alpha1.Tier
}

func (s *service) doorPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.doorView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, doorPage(s.pages.View(r), p))
}

func (s *service) doorView(r *http.Request) (p doorView, err error) {
	if p.Day, err = s.pageDay(r); err != nil {
		return p, err
	}
	if p.Canteen, err = s.store.Canteen(r.Context(), r.URL.Query().Get("canteen")); err != nil {
		return p, err
	}
	p.Tiers = s.spec().Tiers
	served, err := s.published(r.Context(), p.Day, p.Day)
	p.Meals = slices.DeleteFunc(served, func(m Served) bool { return m.Canteen.Name != p.Canteen.Name })
	return p, err
}

// doorURL is what hangs at a canteen's door on a day.
func doorURL(canteen string, day civil.Date) string {
	return doorPath + "?" + url.Values{"canteen": {canteen}, "date": {day.String()}}.Encode()
}

// card is the service's card on the portal: the next meal of today, or else the
// next that there is.
func (s *service) card(ctx context.Context, v web.View) templ.Component {
	h := household(s.household(ctx))
	meals, err := s.offers(ctx, h, s.today(), s.today().AddDays(1))
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "card failed", "error", err.Error())
	}
	now := s.clock.Now()
	for _, m := range meals {
		if now.Before(m.To) {
			return card(v, &m, h, s.today(), staffReads(ctx))
		}
	}
	return card(v, nil, h, s.today(), staffReads(ctx))
}
