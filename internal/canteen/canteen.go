// Package canteen is the service by which residents see what is cooked and
// order meals, and by which a kitchen knows what to cook for whom.
//
// A canteen serves meals on days; a meal of a canteen on a day is a Sitting. A
// sitting that is published has a menu: dishes with a price and a stock. One
// eater has at most one order for a meal of a day. Money is in fen, days are
// days in the community's zone.
package canteen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

// Canteen is a place where meals are cooked or handed out, checked and ready
// for the rules.
type Canteen struct {
	v1alpha1.CanteenPlace
	// retired says that it takes no new orders.
	retired bool
	// Version rises with every change; who changes a canteen says which they
	// saw.
	Version int
}

// ParseCanteen checks a canteen of a manifest or of a form. The API server has
// checked manifests already, as far as it can.
func ParseCanteen(spec v1alpha1.CanteenPlace) (Canteen, error) {
	for _, m := range spec.Meals {
		for _, text := range []string{m.From, m.To, m.CutOff} {
			if _, err := minutesOf(text); err != nil {
				return Canteen{}, fmt.Errorf("canteen %q: meal %q: %w", spec.Name, m.Name, err)
			}
		}
		if m.From >= m.To {
			return Canteen{}, fmt.Errorf("canteen %q: meal %q: to must be later than from", spec.Name, m.Name)
		}
	}
	for _, day := range spec.ClosedDates {
		if _, err := civil.ParseDate(day); err != nil {
			return Canteen{}, fmt.Errorf("canteen %q: closedDates: %w", spec.Name, err)
		}
	}
	return Canteen{CanteenPlace: spec}, nil
}

// minutesOf is a time of day, HH:MM, in minutes after midnight.
func minutesOf(text string) (int, error) {
	hours, minutes, ok := strings.Cut(text, ":")
	h, err1 := strconv.Atoi(hours)
	m, err2 := strconv.Atoi(minutes)
	if !ok || err1 != nil || err2 != nil || len(text) != len("15:04") || h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, fmt.Errorf("%q is not a time of day; write it as HH:MM", text)
	}
	return h*60 + m, nil
}

// Meal is the meal of that name.
func (c Canteen) Meal(name string) (v1alpha1.Meal, bool) {
	i := slices.IndexFunc(c.Meals, func(m v1alpha1.Meal) bool { return m.Name == name })
	if i < 0 {
		return v1alpha1.Meal{}, false
	}
	return c.Meals[i], true
}

// mealName is what residents call a meal; its own name if it is not served any
// more.
func (c Canteen) mealName(name string) string {
	if m, ok := c.Meal(name); ok {
		return m.DisplayName
	}
	return name
}

// Serves reports whether a meal is served on a day as the canteen's week and
// closed days have it.
func (c Canteen) Serves(m v1alpha1.Meal, day civil.Date) bool {
	weekday := v1alpha1.Weekday(day.Weekday().String())
	return !c.retired && (len(m.Days) == 0 || slices.Contains(m.Days, weekday)) && !slices.Contains(c.ClosedDates, day.String())
}

// Sitting is a meal of a canteen on a day.
type Sitting struct {
	Canteen string
	Day     civil.Date
	Meal    string
}

// String names the sitting in records.
func (s Sitting) String() string { return s.Canteen + "/" + s.Day.String() + "/" + s.Meal }

// Times are when a meal is served on a day, and until when it can be ordered.
type Times struct{ From, To, CutOff time.Time }

// TimesOf are the times of a meal on a day in the community's zone. Where
// clocks are put forward over a time, it is an hour later.
func TimesOf(m v1alpha1.Meal, day civil.Date, loc *time.Location) Times {
	at := func(day civil.Date, text string) time.Time {
		minutes, err := minutesOf(text)
		if err != nil {
			return time.Time{} // ParseCanteen has refused it
		}
		t, ok := day.At(minutes, loc)
		if !ok {
			t, _ = day.At(minutes+60, loc)
		}
		return t
	}
	return Times{
		From: at(day, m.From), To: at(day, m.To),
		CutOff: at(day.AddDays(-int(m.CutOffDaysBefore)), m.CutOff),
	}
}

// Kind is what part of a meal a dish is.
type Kind string

// The kinds of dishes, in the order in which menus list them.
const (
	KindSet       Kind = "Set"       // 套餐
	KindMeat      Kind = "Meat"      // 荤菜
	KindVegetable Kind = "Vegetable" // 素菜
	KindStaple    Kind = "Staple"    // 主食
	KindSoup      Kind = "Soup"      // 汤羹
)

// Kinds are all kinds.
var Kinds = []Kind{KindSet, KindMeat, KindVegetable, KindStaple, KindSoup}

// Allergen is what makes some people ill, as GB 7718 groups it.
type Allergen string

// Allergens are those of GB 7718: cereals with gluten, crustaceans, fish, eggs,
// peanuts, soya, milk and nuts.
var Allergens = []Allergen{"Gluten", "Crustaceans", "Fish", "Eggs", "Peanuts", "Soya", "Milk", "Nuts"}

// Tag is what helps people to choose a dish.
type Tag string

// Tags are all tags: soft, low in salt, halal, vegetarian.
var Tags = []Tag{"Soft", "LowSalt", "Halal", "Vegetarian"}

// Nutrition is what a portion has, in the units and steps of GB 28050.
type Nutrition struct {
	// Energy is in kilojoules.
	Energy int `json:"energy"`
	// Protein, Fat and Carbohydrate are in tenths of a gram.
	Protein      int `json:"protein"`
	Fat          int `json:"fat"`
	Carbohydrate int `json:"carbohydrate"`
	// Sodium is in milligrams.
	Sodium int `json:"sodium"`
}

// Known reports whether anything is known of it.
func (n Nutrition) Known() bool { return n != Nutrition{} }

// Dish is something that is cooked.
type Dish struct {
	ID   uuid.UUID
	Name string
	// EnglishName may be empty.
	EnglishName string
	Description string
	Kind        Kind
	// Price is what a portion costs without subsidy, in fen.
	Price     int64
	Allergens []Allergen
	Tags      []Tag
	Nutrition Nutrition
	// Photo is the ID of its picture; uuid.Nil if there is none.
	Photo uuid.UUID
	// Retired says that it is not on offer any more.
	Retired bool
	// Version rises with every change; who changes a dish says which they saw.
	Version int
}

// Item is a dish on the menu of a sitting.
type Item struct {
	Dish Dish
	// Price is that of the day, in fen.
	Price int64
	// Stock is how many portions there are, Taken how many are ordered, and
	// MaxPerOrder how many one order may have; 0 is any number.
	Stock, Taken, MaxPerOrder int
}

// Left is how many portions can still be ordered.
func (i Item) Left() int { return i.Stock - i.Taken }

// Menu is what a sitting offers.
type Menu struct {
	Sitting
	Items []Item
	// PublishedAt is zero while the menu is a draft.
	PublishedAt time.Time
	// Version rises with every change.
	Version int
}

// Item is the item of that dish.
func (m Menu) Item(dish uuid.UUID) (Item, bool) {
	i := slices.IndexFunc(m.Items, func(i Item) bool { return i.Dish.ID == dish })
	if i < 0 {
		return Item{}, false
	}
	return m.Items[i], true
}
