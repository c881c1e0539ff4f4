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
)

// A standing order has a meal ordered on every day that it is wanted, without
// anybody asking again. Menus change daily, so it does not name dishes, but
// what they must be like.
//
// A day's order is placed once its menu is published, from a day before the
// cut-off on: late enough that money is not held for long and that skipping a
// day before costs nothing, early enough that there is a whole day to change or
// cancel it. It is an order like any other, with the same rules.

// DishWish says which dishes somebody wants.
type DishWish struct {
	// Kinds are those of which one dish each is wanted.
	Kinds []Kind `json:"kinds"`
	// Avoid are allergens that no dish may have, Require tags that each must.
	Avoid   []Allergen `json:"avoid,omitempty"`
	Require []Tag      `json:"require,omitempty"`
	// Prefer are tags of which the more the better.
	Prefer []Tag `json:"prefer,omitempty"`
}

// Lack is why no dishes could be chosen. Names are stable.
type Lack string

// Why no dishes can be chosen.
const (
	LackKind     Lack = "kind"     // the menu has no dishes of the kinds
	LackSuitable Lack = "suitable" // none of them is without the allergens and with the tags
	LackSoldOut  Lack = "sold-out" // those that are have no portions left
)

// mains are the kinds of dishes that make a meal.
var mains = []Kind{KindSet, KindMeat, KindVegetable}

// Choose chooses one portion of a dish of each kind that is wished for from a
// menu: of those that may be eaten and are left the one with the most preferred
// tags, and of these the first on the menu. A kind that cannot be had is left
// out, but for a meal without any of the main dishes: then nothing is chosen.
func Choose(m Menu, w DishWish) ([]Line, Lack) {
	var lines []Line
	lacks := map[bool]Lack{} // by whether it is of a main dish
	found := map[bool]bool{}
	for _, kind := range Kinds {
		if !slices.Contains(w.Kinds, kind) {
			continue
		}
		main := slices.Contains(mains, kind)
		item, lack := chooseKind(m, kind, w)
		if lack != "" {
			lacks[main] = worse(lacks[main], lack)
			continue
		}
		found[main] = true
		lines = append(lines, Line{Dish: item.Dish.ID.String(), Portions: 1})
	}
	switch {
	case lacks[true] != "" && !found[true]:
		return nil, lacks[true]
	case len(lines) == 0:
		return nil, cmp.Or(lacks[false], LackKind)
	}
	return lines, ""
}

// worse is which of two reasons says more: dishes were nearer to be had.
func worse(a, b Lack) Lack {
	order := []Lack{"", LackKind, LackSuitable, LackSoldOut}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

func chooseKind(m Menu, kind Kind, w DishWish) (best Item, lack Lack) {
	lack, most := LackKind, -1
	for _, item := range m.Items {
		if item.Dish.Kind != kind {
			continue
		}
		if !w.allows(item.Dish) {
			lack = worse(lack, LackSuitable)
			continue
		}
		if item.Left() <= 0 {
			lack = worse(lack, LackSoldOut)
			continue
		}
		liked := 0
		for _, tag := range item.Dish.Tags {
			if slices.Contains(w.Prefer, tag) {
				liked++
			}
		}
		if liked > most {
			best, most = item, liked
		}
	}
	if most >= 0 {
		return best, ""
	}
	return Item{}, lack
}

// allows reports whether a dish may be eaten.
func (w DishWish) allows(d Dish) bool {
	for _, a := range w.Avoid {
		if slices.Contains(d.Allergens, a) {
			return false
		}
	}
	for _, t := range w.Require {
		if !slices.Contains(d.Tags, t) {
			return false
		}
	}
	return true
}

// StandingTerms are what somebody asks for once and for all.
type StandingTerms struct {
	Canteen, Meal string
	// Weekdays are the days of the week, Monday first.
	Weekdays []v1alpha1.Weekday
	// From is the first day, Until the last; zero if there is none.
	From, Until civil.Date
	Dishes      DishWish
	Way         v1alpha1.Way
	Wish        string
	Payment     Payment
	// Payer is whose purse pays; empty if none does.
	Payer string
}

// Standing is a standing order.
type Standing struct {
	ID uuid.UUID
	StandingTerms
	// Eater is the ID of who eats, OrderedBy of who asked for it and must still
	// be allowed to.
	Eater, OrderedBy string
	// Skips are the days on which nothing is to be ordered, in order.
	Skips []civil.Date
	// Since is from when on it counts as it is: days whose cut-off was before
	// are not its.
	Since time.Time
	// Version rises with every change; who changes it says which they saw.
	Version   int
	CreatedAt time.Time
	// PausedAt is when it was paused; zero if it is not.
	PausedAt time.Time
	// EndedAt is when it was ended; zero if it was not. Its last day may have
	// passed all the same.
	EndedAt time.Time
	Ending  Ending
}

// Ending is why a standing order was ended. Names are stable.
type Ending string

// Why a standing order was ended.
const (
	EndedBySelf     Ending = "self"        // somebody of the household ended it
	EndedByStaff    Ending = "staff"       // somebody at the counter did
	EndedNotAllowed Ending = "not-allowed" // who asked for it may not order for the eater any more
	EndedForgotten  Ending = "forgotten"   // a person's record was deleted
)

// StandingState is what a standing order does. Names are stable.
type StandingState string

// The states of a standing order.
const (
	StandingActive StandingState = "Active"
	StandingPaused StandingState = "Paused"
	StandingEnded  StandingState = "Ended"
)

// State is what the standing order does on a day.
func (o Standing) State(today civil.Date) StandingState {
	switch {
	case !o.EndedAt.IsZero(), o.Until != (civil.Date{}) && o.Until.DaysSince(today) < 0:
		return StandingEnded
	case !o.PausedAt.IsZero():
		return StandingPaused
	}
	return StandingActive
}

// Covers reports whether a day is one of the standing order's, skipped or not.
func (o Standing) Covers(day civil.Date) bool {
	return day.DaysSince(o.From) >= 0 && (o.Until == (civil.Date{}) || day.DaysSince(o.Until) <= 0) &&
		slices.Contains(o.Weekdays, v1alpha1.Weekday(day.Weekday().String()))
}

// Skipped reports whether a day is to be skipped.
func (o Standing) Skipped(day civil.Date) bool { return slices.Contains(o.Skips, day) }

// Wants reports whether something is to be ordered for a day.
func (o Standing) Wants(day civil.Date) bool {
	return o.EndedAt.IsZero() && o.PausedAt.IsZero() && o.Covers(day) && !o.Skipped(day)
}

// Sitting is the standing order's meal on a day.
func (o Standing) Sitting(day civil.Date) Sitting {
	return Sitting{Canteen: o.Canteen, Day: day, Meal: o.Meal}
}

// PlacedFrom is from when on a standing order's meal of a day is ordered: at the
// time of the cut-off, a day before it.
func PlacedFrom(m v1alpha1.Meal, day civil.Date, loc *time.Location) time.Time {
	m.CutOffDaysBefore++
	return TimesOf(m, day, loc).CutOff
}

// Turn is what is to be done for a day of a standing order. Names are stable.
type Turn string

// What is to be done for a day.
const (
	TurnNone   Turn = ""       // the day is not the standing order's, or over
	TurnWait   Turn = "wait"   // its time has not come, or its menu was not published
	TurnPlace  Turn = "place"  // it is to be placed now
	TurnMissed Turn = "missed" // it was not placed before the cut-off, and cannot be any more
)

// TurnOf says what is to be done for a day of a standing order that nothing was
// done for yet. m is the menu of its sitting, as far as there is one.
func TurnOf(o Standing, c Canteen, m Menu, now time.Time, loc *time.Location) Turn {
	meal, ok := c.Meal(o.Meal)
	if !ok || c.retired || !o.Wants(m.Day) {
		return TurnNone
	}
	times := TimesOf(meal, m.Day, loc)
	published := !m.PublishedAt.IsZero()
	switch {
	case !o.Since.Before(times.CutOff), !now.Before(times.To):
		return TurnNone
	case !published && !c.Serves(meal, m.Day):
		return TurnNone
	case !now.Before(times.CutOff):
		return TurnMissed
	case now.Before(PlacedFrom(meal, m.Day, loc)), !published:
		return TurnWait
	}
	return TurnPlace
}

// Outcome is what came of a day of a standing order. Names are stable.
type Outcome string

// What came of a day. It is written in the same transaction as the order, once
// for each day.
const (
	// OutcomeOrdered: there is an order, which may have been refused by the
	// purse, cancelled or eaten since.
	OutcomeOrdered Outcome = "Ordered"
	// OutcomeExisting: somebody had ordered the meal already.
	OutcomeExisting Outcome = "Existing"
	OutcomeNoKind   Outcome = "NoKind"
	OutcomeNoDish   Outcome = "NoDish"
	OutcomeSoldOut  Outcome = "SoldOut"
	OutcomeNoHome   Outcome = "NoHome" // it is not brought to where the eater lives
	OutcomeRules    Outcome = "Rules"  // it breaks another rule of orders
	OutcomeNoMenu   Outcome = "NoMenu" // no menu was published before the cut-off
	OutcomeTooLate  Outcome = "TooLate"
	// outcomeRefused is an order that was refused by the purse; it is not
	// written, since the order itself says it.
	outcomeRefused Outcome = "Refused"
)

// outcomeOfLack is what comes of a day for which no dishes could be chosen.
var outcomeOfLack = map[Lack]Outcome{LackKind: OutcomeNoKind, LackSuitable: OutcomeNoDish, LackSoldOut: OutcomeSoldOut}

// outcomeOfRule is what comes of a day whose order would break a rule.
func outcomeOfRule(r Rule) Outcome {
	switch r {
	case RuleNoDelivery:
		return OutcomeNoHome
	case RuleCutOff:
		return OutcomeTooLate
	}
	return OutcomeRules
}

// StandingDay is what was done for a day of a standing order.
type StandingDay struct {
	Day     civil.Date
	Outcome Outcome
	// Order is the order's ID; uuid.Nil if there is none.
	Order uuid.UUID
	At    time.Time
}

// Limits of standing orders.
const (
	// maxStanding is how many live ones a person may have.
	maxStanding = 10
	// maxAhead is how many days ahead days may be skipped, and a standing order
	// may begin.
	maxAhead = 366
)

// weekdays are the days of a week, Monday first.
var weekdays = []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// StandingMistake names a field of a standing order that is not right. Fields
// are named as the API names them.
type StandingMistake struct{ Field, Text string }

// StandingMistakes are the mistakes in a standing order, one for each field.
type StandingMistakes []StandingMistake

// Error names the fields and what is wrong with them.
func (l StandingMistakes) Error() string {
	texts := make([]string, len(l))
	for i, m := range l {
		texts[i] = m.Field + ": " + m.Text
	}
	return strings.Join(texts, "; ")
}

// say notes a mistake if something is bad, but for a field that has one.
func (l *StandingMistakes) say(bad bool, field, format string, args ...any) {
	if bad && !slices.ContainsFunc(*l, func(m StandingMistake) bool { return m.Field == field }) {
		*l = append(*l, StandingMistake{field, fmt.Sprintf(format, args...)})
	}
}

// CheckStanding says what is wrong with the terms of a new standing order, one
// mistake for each field; nil if nothing is. estate is where the eater lives.
func CheckStanding(c Canteen, t StandingTerms, estate string, today civil.Date) StandingMistakes {
	var wrong StandingMistakes
	wrong.checkBegin(t, today)
	wrong.checkTerms(c, t, estate)
	return wrong
}

// checkBegin notes what is wrong with the first day of what has not begun.
func (l *StandingMistakes) checkBegin(t StandingTerms, today civil.Date) {
	l.say(t.From.DaysSince(today) < 0, "from", "begin today or later")
	l.say(t.From.DaysSince(today) > maxAhead, "from", "begin within %d days", maxAhead)
}

// checkTerms notes what is wrong with all terms but the first day.
func (l *StandingMistakes) checkTerms(c Canteen, t StandingTerms, estate string) {
	say := l.say
	meal, ok := c.Meal(t.Meal)
	say(!ok || c.retired, "meal", "the canteen has no such meal")
	served := func(d v1alpha1.Weekday) bool { return len(meal.Days) == 0 || slices.Contains(meal.Days, d) }
	say(len(t.Weekdays) == 0, "weekdays", "name the days of the week")
	for _, d := range t.Weekdays {
		say(!slices.Contains(weekdays, d), "weekdays", "not a day of the week")
		say(ok && !served(d), "weekdays", "the meal is not served on %s", d)
	}
	say(t.Until != (civil.Date{}) && t.Until.DaysSince(t.From) < 0, "until", "the last day is not before the first")
	say(len(t.Dishes.Kinds) == 0, "kinds", "name at least one kind of dishes")
	say(c.MaxPortions > 0 && len(t.Dishes.Kinds) > int(c.MaxPortions), "kinds", "at most %d portions can be ordered", c.MaxPortions)
	say(unknown(t.Dishes.Kinds, Kinds), "kinds", "not a kind of dishes, or one twice")
	say(unknown(t.Dishes.Avoid, Allergens), "avoid", "not an allergen, or one twice")
	say(unknown(t.Dishes.Require, Tags), "require", "not a tag, or one twice")
	say(unknown(t.Dishes.Prefer, Tags), "prefer", "not a tag, or one twice")
	say(ok && !slices.Contains(meal.Ways, t.Way), "way", "the meal cannot be had this way")
	say(t.Way == v1alpha1.WayDelivery && !slices.Contains(c.DeliveryEstates, estate), "way", "meals are not brought there")
	say(utf8.RuneCountInString(t.Wish) > maxWish, "wish", "at most %d characters", maxWish)
	say(t.Payment != PayPurse && t.Payment != PayCounter, "payment", "from a purse, or at the counter")
}

// unknown reports whether a list has something that is not known, or something
// twice.
func unknown[T comparable](list, known []T) bool {
	for i, e := range list {
		if !slices.Contains(known, e) || slices.Contains(list[:i], e) {
			return true
		}
	}
	return false
}
