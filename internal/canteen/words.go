package canteen

import (
	"strings"
	"time"

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

// noon is a moment of a day, to write the day with.
func noon(v web.View, day civil.Date) time.Time { return day.Noon(v.Location) }

// servedText is when a meal is served, such as 11:00–12:30.
func servedText(v web.View, t Times) string { return v.Time(t.From) + "–" + v.Time(t.To) }

// untilText is until when a meal can be ordered, as short as the day on which
// it is read allows.
func untilText(v web.View, cutOff, now time.Time) string {
	if v.Date(cutOff) == v.Date(now) {
		return v.T("canteen.todayAt", "Time", v.Time(cutOff))
	}
	return v.ShortDay(cutOff) + " " + v.Time(cutOff)
}

func wayText(v web.View, way v1alpha1.Way) string { return v.T("canteen.way." + string(way)) }

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
		return v.T("canteen.refused.cutOff", "Time", v.ShortDay(at)+" "+v.Time(at))
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
	}
	return v.T("canteen.refused.gone") // no such sitting, or not published any more
}
