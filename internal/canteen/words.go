package canteen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// What the pages say about menus and orders, in the reader's words.

// dishName is what the reader calls a dish.
func dishName(v web.View, d Dish) string { return v.Name(d.Name, d.EnglishName) }

// joined are words in a row, as the language separates them.
func joined(v web.View, words []string) string {
	if v.Lang == web.English {
		return strings.Join(words, ", ")
	}
	return strings.Join(words, "、")
}

// allergenText names the allergens of a dish; nothing if it has none.
func allergenText(v web.View, d Dish) string {
	names := make([]string, len(d.Allergens))
	for i, a := range d.Allergens {
		names[i] = v.T("canteen.allergen." + string(a))
	}
	return joined(v, names)
}

func tagText(v web.View, t Tag) string { return v.T("canteen.tag." + string(t)) }

// tenths is a number of tenths as people read it, such as 21.5.
func tenths(n int) string { return strconv.FormatFloat(float64(n)/10, 'f', 1, 64) }

// nutrient is a line of a nutrition label.
type nutrient struct{ Name, Amount string }

// nutrients are what a portion has, in the order and the units of GB 28050.
func nutrients(v web.View, n Nutrition) []nutrient {
	return []nutrient{
		{v.T("canteen.energy"), v.T("canteen.kilojoules", "Amount", n.Energy)},
		{v.T("canteen.protein"), v.T("canteen.grams", "Amount", tenths(n.Protein))},
		{v.T("canteen.fat"), v.T("canteen.grams", "Amount", tenths(n.Fat))},
		{v.T("canteen.carbohydrate"), v.T("canteen.grams", "Amount", tenths(n.Carbohydrate))},
		{v.T("canteen.sodium"), v.T("canteen.milligrams", "Amount", n.Sodium)},
	}
}

// noon is a moment of a day, to write the day with.
func noon(v web.View, day civil.Date) time.Time { return day.Noon(v.Location) }

// servedText is when a meal is served, such as 11:00–12:30.
func servedText(v web.View, t Times) string { return v.Time(t.From) + "–" + v.Time(t.To) }

// whenText is a moment with its day, such as 11月23日 12:00.
func whenText(v web.View, t time.Time) string { return v.ShortDay(t) + " " + v.Time(t) }

// untilText is until when a meal can be ordered, as short as the day on which
// it is read allows.
func untilText(v web.View, cutOff, now time.Time) string {
	if v.Date(cutOff) == v.Date(now) {
		return v.T("canteen.todayAt", "Time", v.Time(cutOff))
	}
	return whenText(v, cutOff)
}

func wayText(v web.View, way v1alpha1.Way) string { return v.T("canteen.way." + string(way)) }

// howText is a way as residents are asked for it.
func howText(v web.View, way v1alpha1.Way) string { return v.T("canteen.how." + string(way)) }

// homeText is an address as people write it.
func homeText(v web.View, h identity.Home) string {
	return estateName(v, h.Estate) + h.Building + h.Unit + h.Room
}

// estateName is what people call an estate.
func estateName(v web.View, name string) string {
	for _, e := range v.Community.Spec.Estates {
		if e.Name == name {
			return e.DisplayName
		}
	}
	return name
}

// listed are the lines of an order as menus list them: by kind, then by name.
func listed(lines []Line, dishes map[uuid.UUID]Dish) []Line {
	return slices.SortedFunc(slices.Values(lines), func(a, b Line) int {
		x, y := dishes[idOf(a.Dish)], dishes[idOf(b.Dish)]
		return cmp.Or(slices.Index(Kinds, x.Kind)-slices.Index(Kinds, y.Kind), strings.Compare(x.Name, y.Name))
	})
}

// stateText is what has become of an order.
func stateText(v web.View, o Order) (web.Tone, string) {
	tone := web.Info
	switch o.State {
	case StatePlaced:
		tone = web.Success
	case StatePlacing, StateMissed, StateRefused:
		tone = web.Warning
	}
	return tone, v.T("canteen.state." + string(o.State))
}

// refusalText says why something was not done. dish is what the dish at fault
// is called.
func refusalText(v web.View, r *Refusal, dish string) string {
	switch r.Rule {
	case RuleSoldOut:
		if r.Limit <= 0 {
			return v.T("canteen.refused.soldOutAll", "Dish", dish)
		}
		return v.T("canteen.refused.soldOut", "Dish", dish, "Left", r.Limit)
	case RulePerOrder:
		return v.T("canteen.refused.perOrder", "Dish", dish, "Limit", r.Limit)
	case RulePortions:
		return v.T("canteen.refused.portions", "Limit", r.Limit)
	case RuleCutOff:
		at := time.Unix(r.Limit, 0)
		return v.T("canteen.refused.cutOff", "Time", whenText(v, at))
	case RuleNothing:
		return v.T("canteen.refused.nothing")
	case RuleUnknownDish, RuleDuplicate:
		return v.T("canteen.refused.dish")
	case RuleWay:
		return v.T("canteen.refused.way")
	case RuleNoDelivery:
		return v.T("canteen.refused.delivery")
	case RuleWishLength:
		return v.T("canteen.refused.wish", "Limit", maxWish)
	case RuleOrdered:
		return v.T("canteen.refused.ordered")
	case RuleEnded:
		return v.T("canteen.refused.ended")
	case RuleBusy:
		return v.T("canteen.refused.busy")
	case RuleMoney:
		return v.T("canteen.refused.money")
	case RuleRatingOver:
		return v.T("canteen.rating.wrong.over")
	case RuleNotServed, RuleNotEaten:
		return v.T("canteen.rating.wrong.notEaten")
	case RuleStars:
		return v.T("canteen.rating.wrong.stars")
	case RuleTitle:
		return v.T("canteen.suggestion.wrong.title", "Limit", r.Limit)
	case RuleText:
		return v.T("canteen.suggestion.wrong.text", "Limit", r.Limit)
	case RuleTooMany:
		return v.T("canteen.suggestion.wrong.tooMany", "Limit", r.Limit)
	case RuleOwn, RuleAnswered:
		return v.T("canteen.suggestion.wrong.over")
	case RuleWhy:
		return v.T("canteen.suggestion.wrong.reason", "Limit", r.Limit)
	case RuleLineLength:
		return v.T("canteen.rating.wrong.line", "Limit", r.Limit)
	}
	return v.T("canteen.refused.gone") // no such sitting, or not published any more
}
