package booking

import (
	"slices"
	"strings"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/web"
)

// What the pages say about days and slots, in the reader's words.

// dayPart is a part of the day and its slots.
type dayPart struct {
	// Name is the id of the message that names it.
	Name   string
	Offers []Offer
}

// ahead are the slots that have not begun, on a day when the venue takes
// bookings.
func (d Day) ahead() []Offer {
	if d.Refusal != nil {
		return nil
	}
	for i, o := range d.Offers {
		if o.State != SlotPast {
			return d.Offers[i:]
		}
	}
	return nil
}

// parts are the slots ahead by morning, afternoon and evening.
func (d Day) parts(loc *time.Location) []dayPart {
	var parts []dayPart
	for _, o := range d.ahead() {
		name := "booking.evening"
		switch hour := o.Start.In(loc).Hour(); {
		case hour < 12:
			name = "booking.morning"
		case hour < 18:
			name = "booking.afternoon"
		}
		if len(parts) == 0 || parts[len(parts)-1].Name != name {
			parts = append(parts, dayPart{Name: name})
		}
		last := &parts[len(parts)-1]
		last.Offers = append(last.Offers, o)
	}
	return parts
}

// dayOver is the id of the message that says why nothing is free on a day.
func dayOver(d Day) string {
	switch {
	case d.Refusal != nil:
		return "booking.closedToday"
	case len(d.ahead()) == 0:
		return "booking.overToday"
	}
	return "booking.fullToday"
}

// fewLeft is how many free places are few.
const fewLeft = 3

// few says that only few of many places are left.
func few(venue Venue, o Offer) bool {
	return o.State == SlotFree && venue.Places > fewLeft && o.Free <= fewLeft && len(venue.Attendants) == 0
}

// slotState says whether a slot can be booked.
func slotState(v web.View, venue Venue, o Offer) string {
	switch {
	case few(venue, o):
		return v.T("booking.fewLeft", "Count", o.Free)
	case o.State == SlotFree && venue.Capacity() > 1 && len(venue.Attendants) == 0:
		return v.T("booking.left", "Count", o.Free)
	case o.State == SlotFree:
		return v.T("booking.free")
	case o.State == SlotClosed && len(venue.Attendants) > 0:
		return v.T("booking.nobodyThere")
	case o.State == SlotClosed:
		return v.T("booking.closedShort")
	case o.State == SlotPast:
		return v.T("booking.pastShort")
	case venue.Capacity() > 1:
		return v.T("booking.full")
	}
	return v.T("booking.held")
}

// refusalText says which rule forbids something, and what to do instead.
func refusalText(v web.View, r *Refusal) string {
	id := "booking.rule." + string(r.Rule)
	switch {
	case r.Rule == RuleClosure && r.Detail != "":
		return v.T("booking.closedFor", "Reason", r.Detail)
	case r.Rule == RuleTooLate || r.Rule == RuleCancelNotice:
		return v.T(id, "Length", minutesText(v, r.Count))
	}
	return v.T(id, "Count", r.Count)
}

// minutesText is a number of minutes as people say it: in days or hours where
// that is a whole number of them.
func minutesText(v web.View, minutes int) string {
	switch {
	case minutes > 0 && minutes%minutesPerDay == 0:
		return v.T("booking.days", "Count", minutes/minutesPerDay)
	case minutes < 60:
		return v.T("booking.minutes", "Count", minutes)
	case minutes%60 == 0:
		return v.T("booking.hours", "Count", minutes/60)
	}
	return v.T("booking.hours", "Count", minutes/60) + " " + v.T("booking.minutes", "Count", minutes%60)
}

// rules are what there is to know before booking at a venue, the most
// important first.
func rules(v web.View, venue Venue) []string {
	var texts []string
	if venue.MembersOnly {
		texts = append(texts, v.T("booking.about.members"))
	}
	switch {
	case venue.MinAge > 0 && venue.MaxAge > 0:
		texts = append(texts, v.T("booking.about.ages", "From", venue.MinAge, "To", venue.MaxAge))
	case venue.MinAge > 0:
		texts = append(texts, v.T("booking.about.minAge", "Age", venue.MinAge))
	case venue.MaxAge > 0:
		texts = append(texts, v.T("booking.about.maxAge", "Age", venue.MaxAge))
	}
	if venue.NeedsApproval {
		texts = append(texts, v.T("booking.about.approval"))
	}
	texts = append(texts, v.T("booking.dailyLimit", "Count", venue.DailyLimit))
	if venue.WeeklyLimit > 0 {
		texts = append(texts, v.T("booking.about.weeklyLimit", "Count", venue.WeeklyLimit))
	}
	if venue.MinNotice > 0 {
		texts = append(texts, v.T("booking.about.minNotice", "Length", minutesText(v, int(venue.MinNotice/time.Minute))))
	}
	if venue.CancelNotice > 0 {
		texts = append(texts, cancelNotice(v, venue))
	}
	if venue.NoShow > 0 {
		texts = append(texts, noShow(v, venue))
	}
	return texts
}

// cancelNotice says until when one may change one's mind.
func cancelNotice(v web.View, venue Venue) string {
	return v.T("booking.about.cancelNotice", "Length", minutesText(v, int(venue.CancelNotice/time.Minute)))
}

// noShow says that one must check in, and until when.
func noShow(v web.View, venue Venue) string {
	return v.T("booking.about.noShow", "Length", minutesText(v, int(venue.NoShow/time.Minute)))
}

// moved reports whether the booking stands at a time or place to which the
// staff moved it; its reason says why.
func (b Booking) moved() bool { return b.Live() && b.Reason != "" }

// stateText is the word for what has become of a booking, and its tone.
func stateText(v web.View, b Booking, now time.Time) (web.Tone, string) {
	switch {
	case b.State == StateHeld && CheckAccept(b, now) != nil:
		return web.Info, v.T("booking.state.expired")
	case b.State == StateRequested, b.State == StateHeld:
		return web.Warning, v.T("booking.state." + string(b.State))
	case b.State != StateBooked:
		return web.Info, v.T("booking.state." + string(b.State))
	case !b.CheckedInAt.IsZero() && b.End.After(now):
		return web.Success, v.T("booking.state.present")
	case !b.End.After(now):
		return web.Info, v.T("booking.state.over")
	}
	return web.Success, v.T("booking.state.booked")
}

// placeLabel is what a place of a venue is called: a seat, or who serves there.
func placeLabel(v web.View, venue Venue) string {
	if len(venue.Attendants) > 0 {
		return v.T("booking.attendant")
	}
	return v.T("booking.seat")
}

// spansText lists spans of a day, such as 08:00–12:00, 14:00–17:00.
func spansText(v web.View, spans []Slot) string {
	texts := make([]string, len(spans))
	for i, s := range spans {
		texts[i] = times(v, s)
	}
	return strings.Join(texts, v.T("booking.and"))
}

// closureNotice says what is closed on a day, when and why.
func closureNotice(v web.View, venue Venue, date Date, c Closure) string {
	what := placeText(v, venue, c.Place)
	from, to := date.Bounds(v.Location)
	span := v.T("booking.allDay")
	if c.Start.After(from) || c.End.Before(to) {
		span = times(v, Slot{latest(c.Start, from), earliest(c.End, to)})
	}
	text := strings.TrimSpace(what + " " + span)
	if c.Reason == "" {
		return v.T("booking.closure", "What", text)
	}
	return v.T("booking.closureWhy", "What", text, "Reason", c.Reason)
}

// dayReason says why no slot is shown of a day.
func dayReason(v web.View, d Day, now time.Time) string {
	if d.Refusal != nil {
		return refusalText(v, d.Refusal)
	}
	if n := len(d.Offers); n > 0 && d.Offers[n-1].Start.After(now) {
		// Not over: only too near.
		return v.T("booking.rule."+string(RuleTooLate), "Length", minutesText(v, int(d.Venue.MinNotice/time.Minute)))
	}
	return v.T("booking.dayOver")
}

// length is how long a span lasts.
func length(v web.View, s Slot) string {
	return minutesText(v, int(s.End.Sub(s.Start)/time.Minute))
}

// venueGroup are the venues of one kind of errand.
type venueGroup struct {
	// Name is the id of the message that names it.
	Name   string
	Venues []venueToday
}

// groups are the venues to use and the services to be served by, where there
// are any.
func (p venuesView) groups() []venueGroup {
	places, services := venueGroup{Name: "booking.places"}, venueGroup{Name: "booking.services"}
	for _, v := range p.Venues {
		if v.Venue.Kind == v1alpha1.VenueAttended {
			services.Venues = append(services.Venues, v)
		} else {
			places.Venues = append(places.Venues, v)
		}
	}
	return slices.DeleteFunc([]venueGroup{places, services}, func(g venueGroup) bool { return len(g.Venues) == 0 })
}

// todayText says where something is free today.
func todayText(v web.View, today []venueToday) string {
	venues := 0
	for _, d := range today {
		if len(d.FreeSlots()) > 0 {
			venues++
		}
	}
	if venues == 0 {
		return v.T("booking.nothingToday")
	}
	return v.T("booking.venuesToday", "Count", venues)
}
