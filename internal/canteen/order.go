package canteen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
)

// State is what has become of an order. Names are stable.
type State string

// The states. Placing waits for the purse to say whether there is money for
// it; all but Placing and Placed are ends.
const (
	StatePlacing   State = "Placing"
	StatePlaced    State = "Placed"
	StateRefused   State = "Refused" // the purse had too little money
	StateCancelled State = "Cancelled"
	StateServed    State = "Served"
	StateMissed    State = "Missed" // nobody came for it
)

// Live reports whether the order holds portions that are still to be served.
func (s State) Live() bool { return s == StatePlacing || s == StatePlaced }

// Payment is how an order is paid.
type Payment string

// The ways to pay.
const (
	PayPurse   Payment = "Purse"
	PayCounter Payment = "Counter"
)

// Money is how far the payment of an order has come. Names are stable.
type Money string

// How far a payment has come. Those that are due are done in the background if
// they were not done at once, whatever was stopped in between.
const (
	MoneyNone     Money = ""         // nothing is paid yet, or there is nothing to pay
	MoneyHolding  Money = "Holding"  // due: the purse is to hold the money of Next
	MoneyHeld     Money = "Held"     // the purse holds it
	MoneyCapture  Money = "Capture"  // due: what is held is to be taken
	MoneyCaptured Money = "Captured" // it was taken
	MoneyRelease  Money = "Release"  // due: what is held is to be given free
	MoneyReleased Money = "Released" // it was given free
	MoneySale     Money = "Sale"     // due: paid at the counter, to be entered in the ledger
	MoneySold     Money = "Sold"     // it was entered
	MoneyRefund   Money = "Refund"   // due: what was taken is to be given back
	MoneyRefunded Money = "Refunded" // it was given back
	MoneyLost     Money = "Lost"     // the hold was gone before the money was taken
)

// due are those of which something is to be done.
var due = []Money{MoneyHolding, MoneyCapture, MoneyRelease, MoneySale, MoneyRefund}

// Content is what can be changed of an order.
type Content struct {
	Lines []Line       `json:"lines"`
	Way   v1alpha1.Way `json:"way"`
	// Home is where it is brought; only for deliveries.
	Home identity.Home `json:"home"`
	// Wish is what the kitchen should know, free text.
	Wish string `json:"wish"`
	Quote
}

// Order is a meal that somebody has ordered.
type Order struct {
	ID uuid.UUID
	Sitting
	// Eater is the ID of who eats, OrderedBy of who ordered, Payer of whose
	// purse pays.
	Eater, OrderedBy, Payer string
	// Name and Phone are the eater's, for lists in the kitchen and at the door.
	Name, Phone string
	Payment     Payment
	Content
	// Revision counts the contents that were asked for.
	Revision int
	// Next is the content that the purse is asked about; nil if it is not.
	Next  *Content
	State State
	Money Money
	// Code is said or shown when a meal is picked up.
	Code                 string
	CreatedAt, UpdatedAt time.Time
	// EndedAt is when it was served, cancelled or missed.
	EndedAt time.Time
	// Standing is the standing order that made it; uuid.Nil if none did.
	Standing uuid.UUID
	// PaidAt is when it was paid at the counter.
	PaidAt time.Time
	// TakenOn is the day under which its money is among the takings; zero if it
	// was not taken yet.
	TakenOn civil.Date
}

// Rule is what an order may break. Names are stable.
type Rule string

// The rules.
const (
	RuleUnknownSitting Rule = "unknown-sitting"
	RuleNotPublished   Rule = "not-published"
	RuleCutOff         Rule = "cut-off"
	RuleUnknownDish    Rule = "unknown-dish"
	RuleNothing        Rule = "nothing-ordered"
	RulePortions       Rule = "too-many-portions"
	RulePerOrder       Rule = "too-many-of-a-dish"
	RuleSoldOut        Rule = "sold-out"
	RuleWay            Rule = "way"
	RuleNoDelivery     Rule = "no-delivery-there"
	RuleOrdered        Rule = "ordered-already"
	RuleEnded          Rule = "order-ended"
	RuleBusy           Rule = "order-busy"
	RuleMoney          Rule = "insufficient"
	RuleWishLength     Rule = "wish-too-long"
	RuleDuplicate      Rule = "dish-twice"
	RuleStandingMany   Rule = "too-many-standing-orders"
)

// Refusal says which rule an order breaks.
type Refusal struct {
	Rule Rule
	// Dish is the dish at fault, if one is.
	Dish string
	// Field is the field at fault as the API names it, if it is one.
	Field string
	// Limit is what the rule allows: portions, or fen that are there.
	Limit int64
	Text  string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(rule Rule, limit int64, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Limit: limit, Text: fmt.Sprintf(format, args...)}
}

// maxWish is how long a wish may be, in characters.
const maxWish = 100

// Portions is how many portions the lines have.
func Portions(lines []Line) (n int) {
	for _, l := range lines {
		n += l.Portions
	}
	return n
}

// Check says which rule an order with some content breaks on a menu, or nil.
// Staff may order after the cut-off, until the meal ends, and for more people
// at once. Whether there is enough left is not looked at: that is decided where
// the portions are taken.
func Check(c Canteen, m Menu, want Content, staff bool, now time.Time, loc *time.Location) *Refusal {
	meal, ok := c.Meal(m.Meal)
	if !ok {
		return refuse(RuleUnknownSitting, 0, "canteen %q has no meal %q", c.Name, m.Meal)
	}
	if m.PublishedAt.IsZero() {
		return refuse(RuleNotPublished, 0, "the menu is not published yet")
	}
	times := TimesOf(meal, m.Day, loc)
	if until := map[bool]time.Time{false: times.CutOff, true: times.To}[staff]; !now.Before(until) {
		return refuse(RuleCutOff, until.Unix(), "it can be ordered until %s only", until.In(loc).Format(time.DateTime))
	}
	if utf8.RuneCountInString(want.Wish) > maxWish {
		return refuse(RuleWishLength, maxWish, "a wish has at most %d characters", maxWish)
	}
	if !slices.Contains(meal.Ways, want.Way) {
		return refuse(RuleWay, 0, "the meal cannot be had this way: %s", want.Way)
	}
	if want.Way == v1alpha1.WayDelivery && !slices.Contains(c.DeliveryEstates, want.Home.Estate) {
		return refuse(RuleNoDelivery, 0, "meals are not brought there")
	}
	if Portions(want.Lines) == 0 {
		return refuse(RuleNothing, 0, "nothing is ordered")
	}
	if limit := int(c.MaxPortions); limit > 0 && !staff && Portions(want.Lines) > limit {
		return refuse(RulePortions, int64(limit), "at most %d portions can be ordered", limit)
	}
	return checkLines(m, want.Lines, staff)
}

func checkLines(m Menu, lines []Line, staff bool) *Refusal {
	seen := map[string]bool{}
	for _, l := range lines {
		item, ok := m.Item(idOf(l.Dish))
		if !ok || l.Portions <= 0 {
			return &Refusal{Rule: RuleUnknownDish, Dish: l.Dish, Text: "the dish is not on the menu"}
		}
		if seen[l.Dish] {
			return &Refusal{Rule: RuleDuplicate, Dish: l.Dish, Text: "a dish is named twice; add up its portions"}
		}
		seen[l.Dish] = true
		if limit := item.MaxPerOrder; limit > 0 && !staff && l.Portions > limit {
			return &Refusal{Rule: RulePerOrder, Dish: l.Dish, Limit: int64(limit), Text: fmt.Sprintf("at most %d portions of a dish can be ordered at once", limit)}
		}
	}
	return nil
}

// priced are lines with the prices of a menu, in the order of the dishes' IDs,
// in which portions are taken: two orders that want the same dishes then never
// wait for each other in a circle.
func priced(m Menu, lines []Line) []Line {
	out := slices.Clone(lines)
	for i, l := range out {
		item, _ := m.Item(idOf(l.Dish))
		out[i].Price = item.Price
	}
	slices.SortFunc(out, func(a, b Line) int { return cmp.Compare(a.Dish, b.Dish) })
	return out
}

// delta is how many portions of each dish one content has more than another,
// in the order of the dishes' IDs.
func delta(from, to []Line) []Line {
	by := map[string]int{}
	for _, l := range to {
		by[l.Dish] += l.Portions
	}
	for _, l := range from {
		by[l.Dish] -= l.Portions
	}
	var out []Line
	for dish, n := range by {
		if n != 0 {
			out = append(out, Line{Dish: dish, Portions: n})
		}
	}
	slices.SortFunc(out, func(a, b Line) int { return cmp.Compare(a.Dish, b.Dish) })
	return out
}

// rises are the lines of a delta with more portions, falls those with fewer.
func rises(lines []Line) []Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Portions < 0 })
}

func falls(lines []Line) []Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Portions > 0 })
}

// idOf reads the ID of something; what is no ID is nothing's.
func idOf(text string) uuid.UUID {
	id, err := uuid.Parse(strings.TrimSpace(text))
	if err != nil {
		return uuid.Nil
	}
	return id
}
