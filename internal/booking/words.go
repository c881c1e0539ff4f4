package booking

import (
	"slices"
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

// dayReason says why no slot is shown of a day.
func dayReason(v web.View, d Day) string {
	if d.Refusal != nil {
		return refusalText(v, d.Refusal)
	}
	return v.T("booking.dayOver")
}

// fewLeft is how many free places are few.
const fewLeft = 3

// few says that only few of many places are left.
func few(venue Venue, o Offer) bool {
	return o.State == SlotFree && venue.Places > fewLeft && o.Free <= fewLeft
}

// slotState says whether a slot can be booked.
func slotState(v web.View, venue Venue, o Offer) string {
	switch {
	case few(venue, o):
		return v.T("booking.fewLeft", "Count", o.Free)
	case o.State == SlotFree && venue.Places > 1:
		return v.T("booking.left", "Count", o.Free)
	case o.State == SlotFree:
		return v.T("booking.free")
	case venue.Places > 1:
		return v.T("booking.full")
	}
	return v.T("booking.held")
}

// length is how long a span lasts.
func length(v web.View, s Slot) string {
	minutes := int(s.End.Sub(s.Start) / time.Minute)
	hours, rest := minutes/60, minutes%60
	switch {
	case hours == 0:
		return v.T("booking.minutes", "Count", rest)
	case rest == 0:
		return v.T("booking.hours", "Count", hours)
	}
	return v.T("booking.hours", "Count", hours) + " " + v.T("booking.minutes", "Count", rest)
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

// mistakes are what an order's form says is wrong.
func (p orderView) mistakes() []web.FieldError {
	var mistakes []web.FieldError
	if p.Problem != "" {
		mistakes = append(mistakes, web.FieldError{Message: p.Problem})
	}
	if p.NoteProblem != "" {
		mistakes = append(mistakes, web.FieldError{Field: "note", Message: p.NoteProblem})
	}
	return mistakes
}
