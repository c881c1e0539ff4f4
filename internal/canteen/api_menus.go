package canteen

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
)

func (s *service) menuOperations(a *host.API) {
	huma.Register(a, a.Public(huma.Operation{
		OperationID: "list-canteens", Method: http.MethodGet, Path: "/canteens", Tags: []string{tagMenus},
		Summary: "List the canteens",
	}), answer(s, s.listCanteens))
	huma.Register(a, a.Public(huma.Operation{
		OperationID: "get-menus", Method: http.MethodGet, Path: "/menus/{date}", Tags: []string{tagMenus},
		Summary: "Read the menus of a day", Description: "Menus that are published, of all canteens. The date may be today.",
	}, http.StatusUnprocessableEntity), answer(s, s.getMenus))
}

type apiMeal struct {
	Name        string `json:"name" example:"lunch"`
	DisplayName string `json:"displayName" example:"午餐"`
	From        string `json:"from" example:"11:00"`
	To          string `json:"to" example:"12:30"`
	CutOff      string `json:"cutOff" example:"09:00" doc:"Until when it can be ordered, changed and cancelled."`
	// CutOffDaysBefore counts back from the day of the meal.
	CutOffDaysBefore int32          `json:"cutOffDaysBefore" doc:"How many days before the meal that is; 0 is the same day."`
	Ways             []v1alpha1.Way `json:"ways"`
}

type apiCanteen struct {
	Name            string    `json:"name" example:"lakeside"`
	DisplayName     string    `json:"displayName"`
	Description     string    `json:"description,omitempty"`
	Meals           []apiMeal `json:"meals"`
	MaxPortions     int32     `json:"maxPortions" doc:"How many portions one eater may order for a meal."`
	DeliveryEstates []string  `json:"deliveryEstates,omitempty"`
}

type canteensOutput struct {
	Body struct {
		Canteens []apiCanteen `json:"canteens"`
	}
}

func (s *service) listCanteens(ctx context.Context, _ *struct{}) (*canteensOutput, error) {
	canteens, err := s.store.Canteens(ctx)
	if err != nil {
		return nil, err
	}
	out := &canteensOutput{}
	out.Body.Canteens = []apiCanteen{}
	for _, c := range canteens {
		listed := apiCanteen{Name: c.Name, DisplayName: c.DisplayName, Description: c.Description, MaxPortions: c.MaxPortions, DeliveryEstates: c.DeliveryEstates}
		for _, m := range c.Meals {
			listed.Meals = append(listed.Meals, apiMeal{m.Name, m.DisplayName, m.From, m.To, m.CutOff, m.CutOffDaysBefore, m.Ways})
		}
		out.Body.Canteens = append(out.Body.Canteens, listed)
	}
	return out, nil
}

// APIDish is a dish in the API.
type APIDish struct {
	ID          string     `json:"id" format:"uuid"`
	Name        string     `json:"name" example:"红烧肉"`
	EnglishName string     `json:"englishName,omitempty"`
	Description string     `json:"description,omitempty"`
	Kind        Kind       `json:"kind" enum:"Set,Meat,Vegetable,Staple,Soup"`
	Allergens   []Allergen `json:"allergens" doc:"As GB 7718 groups them."`
	Tags        []Tag      `json:"tags"`
	// Nutrition is left out if it is not known.
	Nutrition *Nutrition `json:"nutrition,omitempty" doc:"Per portion: energy in kJ, protein, fat and carbohydrate in tenths of a gram, sodium in mg (GB 28050)."`
}

func apiDishOf(d Dish) APIDish {
	out := APIDish{
		ID: d.ID.String(), Name: d.Name, EnglishName: d.EnglishName, Description: d.Description, Kind: d.Kind,
		Allergens: append([]Allergen{}, d.Allergens...), Tags: append([]Tag{}, d.Tags...),
	}
	if d.Nutrition.Known() {
		out.Nutrition = &d.Nutrition
	}
	return out
}

type apiItem struct {
	Dish        APIDish `json:"dish"`
	Price       int64   `json:"price" doc:"Of a portion without subsidy, in fen."`
	Left        int     `json:"left" doc:"How many portions can still be ordered."`
	MaxPerOrder int     `json:"maxPerOrder,omitempty" doc:"How many of it one order may have."`
	// Stars are left out if too few have rated the dish.
	Stars *apiStars `json:"stars,omitempty" doc:"What residents think of it; left out if too few have rated it."`
}

type apiStars struct {
	Average float64 `json:"average" example:"4.3" doc:"Of 5."`
	Count   int     `json:"count" doc:"How many ratings there are."`
}

// APIMenu is a menu in the API.
type APIMenu struct {
	Canteen string    `json:"canteen"`
	Date    string    `json:"date" format:"date"`
	Meal    string    `json:"meal"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	CutOff  time.Time `json:"cutOff"`
	Items   []apiItem `json:"items"`
}

type menusInput struct {
	Date string `path:"date" maxLength:"10" example:"2026-11-23" doc:"The day, YYYY-MM-DD, or today."`
}

type menusOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Menus []APIMenu `json:"menus"`
	}
}

func (s *service) getMenus(ctx context.Context, in *menusInput) (*menusOutput, error) {
	day := s.today()
	if in.Date != "today" {
		var err error
		if day, err = parseDay("path.date", in.Date); err != nil {
			return nil, err
		}
	}
	days, err := s.published(ctx, day, day)
	if err != nil {
		return nil, err
	}
	out := &menusOutput{CacheControl: "no-cache"} // what is left changes
	out.Body.Menus = []APIMenu{}
	var dishes []uuid.UUID
	for _, d := range days {
		for _, item := range d.Menu.Items {
			dishes = append(dishes, item.Dish.ID)
		}
	}
	stars, err := s.store.StarsOf(ctx, dishes)
	if err != nil {
		return nil, err
	}
	for _, d := range days {
		m := s.apiMenuOf(d)
		for i, item := range d.Menu.Items {
			if known, ok := stars[item.Dish.ID]; ok {
				m.Items[i].Stars = &apiStars{float64(known.Average()) / 10, known.Ratings}
			}
		}
		out.Body.Menus = append(out.Body.Menus, m)
	}
	return out, nil
}

func (s *service) apiMenuOf(d Served) APIMenu {
	out := APIMenu{
		Canteen: d.Menu.Canteen, Date: d.Menu.Day.String(), Meal: d.Menu.Meal, Items: []apiItem{},
		From: d.From.In(s.location()), To: d.To.In(s.location()), CutOff: d.CutOff.In(s.location()),
	}
	for _, item := range d.Menu.Items {
		out.Items = append(out.Items, apiItem{Dish: apiDishOf(item.Dish), Price: item.Price, Left: item.Left(), MaxPerOrder: item.MaxPerOrder})
	}
	return out
}

// Served is a menu with its meal and canteen.
type Served struct {
	Canteen Canteen
	Meal    v1alpha1.Meal
	Menu    Menu
	Times
}

// published are the menus of some days that are published, by day, and within a
// day as the canteens and their meals are listed.
func (s *service) published(ctx context.Context, first, last civil.Date) ([]Served, error) {
	canteens, err := s.store.Canteens(ctx)
	if err != nil {
		return nil, err
	}
	menus, err := s.store.Menus(ctx, "", first, last, false)
	if err != nil {
		return nil, err
	}
	by := make(map[Sitting]Menu, len(menus))
	for _, m := range menus {
		by[m.Sitting] = m
	}
	var served []Served
	for day := first; day.DaysSince(last) <= 0; day = day.AddDays(1) {
		for _, c := range canteens {
			for _, meal := range c.Meals {
				if m, ok := by[Sitting{c.Name, day, meal.Name}]; ok {
					served = append(served, Served{c, meal, m, TimesOf(meal, day, s.location())})
				}
			}
		}
	}
	return served, nil
}
