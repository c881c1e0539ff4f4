package canteen

import (
	"slices"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// What the pages say about standing orders, in the reader's words.

// weekdayNames are days of the week in a row.
func weekdayNames(v web.View, days []v1alpha1.Weekday) string {
	names := make([]string, len(days))
	for i, d := range days {
		names[i] = weekdayName(v, d)
	}
	return joined(v, names)
}

// weekdayName is the name of a day of the week.
func weekdayName(v web.View, day v1alpha1.Weekday) string {
	monday := time.Date(2026, 11, 23, 12, 0, 0, 0, v.Location)
	return v.Weekday(monday.AddDate(0, 0, slices.Index(weekdays, day)))
}

func weekdayOptions(v web.View) []web.Option {
	options := make([]web.Option, len(weekdays))
	for i, d := range weekdays {
		options[i] = web.Option{Value: string(d), Label: weekdayName(v, d)}
	}
	return options
}

// dishWishText says what dishes a standing order is for.
func dishWishText(v web.View, w DishWish) []string {
	list := func(id string, words []string) string { return v.T(id, "List", joined(v, words)) }
	words := func(n int, word func(i int) string) []string {
		out := make([]string, n)
		for i := range n {
			out[i] = word(i)
		}
		return out
	}
	texts := []string{list("canteen.standing.oneOf", words(len(w.Kinds), func(i int) string { return kindText(v, w.Kinds[i]) }))}
	if len(w.Avoid) > 0 {
		texts = append(texts, list("canteen.standing.without", words(len(w.Avoid), func(i int) string { return v.T("canteen.allergen." + string(w.Avoid[i])) })))
	}
	if len(w.Require) > 0 {
		texts = append(texts, list("canteen.standing.only", words(len(w.Require), func(i int) string { return tagText(v, w.Require[i]) })))
	}
	if len(w.Prefer) > 0 {
		texts = append(texts, list("canteen.standing.rather", words(len(w.Prefer), func(i int) string { return tagText(v, w.Prefer[i]) })))
	}
	return texts
}

// standingPayText says how the meals are paid.
func standingPayText(v web.View, h household, o Standing) string {
	switch {
	case o.Payment == PayCounter:
		return v.T("canteen.pay.counter")
	case len(h) > 0 && o.Payer == h[0].ID:
		return v.T("canteen.pay.own")
	case o.Payer == o.Eater:
		return v.T("canteen.standing.pay.eater")
	}
	return v.T("canteen.standing.pay.other")
}

// spanText says from when until when a standing order holds.
func spanText(v web.View, o Standing) string {
	if o.Until == (civil.Date{}) {
		return v.T("canteen.standing.fromOn", "Day", v.Date(noon(v, o.From)))
	}
	return v.T("canteen.standing.fromUntil", "From", v.Date(noon(v, o.From)), "Until", v.Date(noon(v, o.Until)))
}

// skippedAhead are the days from today on that a standing order skips.
func skippedAhead(v web.View, o Standing, today civil.Date) string {
	var days []string
	for _, day := range o.Skips {
		if day.DaysSince(today) >= 0 {
			days = append(days, v.ShortDay(noon(v, day)))
		}
	}
	return joined(v, days)
}

// standingTone is how a standing order's state is marked.
func standingTone(state StandingState) web.Tone {
	switch state {
	case StandingActive:
		return web.Success
	case StandingPaused:
		return web.Warning
	}
	return web.Info
}

// aheadTone is how a day ahead is marked.
func aheadTone(state AheadState) web.Tone {
	switch state {
	case AheadOrdered, AheadWillOrder, AheadNoMenuYet:
		return web.Success
	case AheadNotOrdered, AheadCannot:
		return web.Warning
	}
	return web.Info
}
